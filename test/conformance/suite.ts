/** The kinds of the suite, each with its implementation over a world that a script directs. */
import type { AnyJobDefinition } from '../../libs/saga/define.js';
import type { Implementation } from '../../libs/saga/implement.js';
import {
  implementArchive,
  implementConvoy,
  implementErrand,
  implementHeralds,
  implementOrder,
  implementSnapshot,
  implementStall,
  type Scripts,
  type World,
} from './fakes.js';
import {
  archive,
  convoy,
  errand,
  heralds,
  longErrand,
  longOrder,
  longSnapshot,
  order,
  snapshot,
  stall,
} from './kinds.js';

export type KindName =
  | 'order'
  | 'snapshot'
  | 'archive'
  | 'errand'
  | 'convoy'
  | 'heralds'
  | 'stall'
  | 'longOrder'
  | 'longSnapshot'
  | 'longErrand';

interface SuiteKind {
  readonly definition: AnyJobDefinition;
  readonly implement: (world: World, scripts: Scripts) => Implementation<AnyJobDefinition>;
}

export const suite: Readonly<Record<KindName, SuiteKind>> = {
  order: { definition: order, implement: implementOrder },
  snapshot: { definition: snapshot, implement: implementSnapshot },
  archive: { definition: archive, implement: implementArchive },
  errand: { definition: errand, implement: implementErrand },
  longOrder: { definition: longOrder, implement: implementOrder },
  longSnapshot: { definition: longSnapshot, implement: implementSnapshot },
  longErrand: { definition: longErrand, implement: implementErrand },
  heralds: { definition: heralds, implement: implementHeralds },
  convoy: { definition: convoy, implement: implementConvoy },
  stall: { definition: stall, implement: implementStall },
};
