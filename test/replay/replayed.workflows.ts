/** What is replayed: the present code, and changed copies of it. */
export * from './changed.workflows.js';
export * from './recorded.workflows.js';
