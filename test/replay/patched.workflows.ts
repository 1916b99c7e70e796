/** The next release, made to fit: the change is behind `patched`. */
export { orderPatchedLast as testOrder } from './changed.workflows.js';
