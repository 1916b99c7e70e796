/** The part of a saga that runs while a holder holds; it is undone and started over when the holder is lost. */
import type { Failure } from '../failure.js';

export class Block {
  /** Why the holder is lost. */
  lost: Failure | undefined;
  /** A person was waited for when it was: holders do not hold for as long as people may take, so that is nobody's fault. */
  wasParked = false;
  released = false;

  constructor(
    readonly parent: Block | undefined,
    /** Of the effect keys of everything the block starts. */
    readonly generation: number,
  ) {}

  /** Whether this block is `outer` or lies in it. */
  isWithin(outer: Block): boolean {
    return this === outer || (this.parent?.isWithin(outer) ?? false);
  }

  /** This block or the one around it that lost its holder. */
  lostBlock(): Block | undefined {
    return this.lost ? this : this.parent?.lostBlock();
  }
}

/** Thrown to the body of a block whose holder is lost; `holding` starts the block over. */
export class BlockLost extends Error {
  constructor(readonly block: Block) {
    super(`The holder is lost: ${block.lost?.code ?? 'unknown'}`);
    this.name = 'BlockLost';
  }
}
