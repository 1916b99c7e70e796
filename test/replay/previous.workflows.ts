/** The release before. */
export { testOrder } from './recorded.workflows.js';
