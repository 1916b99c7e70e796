/** How workflow code is bundled for the sandbox, wherever it is. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BundleOptions } from '@temporalio/worker';
import { failureConverterPath } from './data-converter.js';

type WebpackConfiguration = Parameters<NonNullable<BundleOptions['webpackConfigHook']>>[0];

/**
 * The sandbox evaluates every module anew for each workflow. The engine, and zod behind it, keep no state: they are
 * evaluated once, frozen, and shared. Definitions are their authors' and stay each workflow's own.
 */
const ENGINE = fileURLToPath(new URL(`../saga/temporal/preload${extname(import.meta.url)}`, import.meta.url));

/** Options for `bundleWorkflowCode`; a prebuilt bundle carries its failure converter, the same as everybody else's. */
export function bundleOptions(workflowsPath: string): BundleOptions {
  return { workflowsPath, failureConverterPath, preloadModules: [ENGINE], webpackConfigHook: importInPlace };
}

/** One file for the sandbox: what is imported when it is needed is in it, and is evaluated then. */
function importInPlace(config: WebpackConfiguration): WebpackConfiguration {
  const { javascript } = config.module?.parser ?? {};
  const parser = {
    ...config.module?.parser,
    javascript: { ...javascript, dynamicImportMode: 'eager' as const },
  };
  return { ...config, module: { ...config.module, parser } };
}
