/** The next release: `test.order` has changed, and does not fit the histories of before. */
export { orderStepAdded as testOrder } from './changed.workflows.js';
