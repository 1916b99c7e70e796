/** Lets so many in at a time under each name, the others in the order they came; for one process. */
export interface Gate {
  /** Takes a place under `name` where one is free and nobody waits for it. Whoever is in must {@link leave}. */
  tryEnter(name: string, max: number): boolean;
  /** Waits for a place; false where `signal` fired, or `patienceMs` were over, before there was one. */
  enter(
    name: string,
    max: number,
    wait: { readonly signal: AbortSignal; readonly patienceMs: number },
  ): Promise<boolean>;
  leave(name: string): void;
}

interface Room {
  inside: number;
  /** Each takes the place that became free, in its order. */
  readonly waiting: Set<() => void>;
}

export function createGate(): Gate {
  const rooms = new Map<string, Room>();

  function tryEnter(name: string, max: number): boolean {
    const room = rooms.get(name);
    if (!room) rooms.set(name, { inside: 1, waiting: new Set() });
    else if (room.inside < max && room.waiting.size === 0) room.inside += 1;
    else return false;
    return true;
  }

  return {
    tryEnter,
    async enter(name, max, { signal, patienceMs }) {
      if (signal.aborted) return false;
      return tryEnter(name, max) || handedOn((rooms.get(name) as Room).waiting, signal, patienceMs);
    },
    leave(name) {
      const room = rooms.get(name) as Room;
      const [next] = room.waiting;
      if (next) {
        // Whoever leaves hands the place on: it stays taken.
        room.waiting.delete(next);
        next();
        return;
      }
      room.inside -= 1;
      if (room.inside === 0) rooms.delete(name);
    },
  };
}

function handedOn(waiting: Set<() => void>, signal: AbortSignal, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isIn: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      resolve(isIn);
    };
    const enter = (): void => end(true);
    const giveUp = (): void => {
      waiting.delete(enter);
      end(false);
    };
    const timer = setTimeout(giveUp, patienceMs);
    signal.addEventListener('abort', giveUp, { once: true });
    waiting.add(enter);
  });
}
