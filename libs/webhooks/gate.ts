/** Lets so many in at a time under each name, the others in the order they came; for one process. */
export interface Gate {
  /** Resolves once there is room under `name`, with what gives the place back. */
  enter(name: string, max: number): Promise<() => void>;
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
    async enter(name, max) {
      const room = rooms.get(name) ?? { inside: 0, waiting: [] };
      rooms.set(name, room);
      // Whoever leaves hands the place on: it stays taken.
      if (room.inside >= max) await new Promise<void>((resolve) => room.waiting.push(resolve));
      else room.inside += 1;
      let isInside = true;
      return () => {
        if (isInside) leave(name, room);
        isInside = false;
      };
    },
  };
}
