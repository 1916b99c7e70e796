/** Lets so many in at a time under each name, the others in the order they came; for one process. */
export interface Gate {
  /** Resolves once there is room under `name`, or `signal` fires, with what gives the place back. */
  enter(name: string, max: number, signal: AbortSignal): Promise<() => void>;
}

interface Room {
  inside: number;
  readonly waiting: (() => void)[];
}

export function createGate(): Gate {
  const rooms = new Map<string, Room>();

  function leave(name: string, room: Room): void {
    const next = room.waiting.shift();
    if (next) {
      next();
      return;
    }
    room.inside -= 1;
    if (room.inside === 0) rooms.delete(name);
  }

  return {
    async enter(name, max, signal) {
      const room = rooms.get(name) ?? { inside: 0, waiting: [] };
      rooms.set(name, room);
      if (room.inside < max) room.inside += 1;
      // Whoever leaves hands the place on: it stays taken.
      else if (!(await handedOn(room, signal))) return () => undefined;
      let isInside = true;
      return () => {
        if (isInside) leave(name, room);
        isInside = false;
      };
    },
  };
}

/** False where `signal` fired first. */
function handedOn({ waiting }: Room, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const enter = (): void => {
      signal.removeEventListener('abort', giveUp);
      resolve(true);
    };
    const giveUp = (): void => {
      waiting.splice(waiting.indexOf(enter), 1);
      resolve(false);
    };
    if (signal.aborted) {
      resolve(false);
      return;
    }
    waiting.push(enter);
    signal.addEventListener('abort', giveUp, { once: true });
  });
}
