import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { locateHome, makeHome, type Home } from '../../../libs/embedded/home.js';
import { openPortClaims, type PortClaims } from '../../../libs/embedded/port-claims.js';
import { choosePort, isFree } from '../../../libs/embedded/ports.js';
import { choosePorts } from '../../../libs/embedded/stack.ports.js';

const HOST = '127.0.0.1';
const servers: Server[] = [];
let home: Home;
let claims: PortClaims;

beforeEach(() => {
  claims = openPortClaims();
  home = locateHome({ LONGHAUL_HOME: join(mkdtempSync(join(tmpdir(), 'longhaul-ports-')), 'home') });
  makeHome(home);
});
afterEach(async () => {
  await claims.release();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(join(home.root, '..'), { recursive: true, force: true });
});

async function takePort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return (server.address() as AddressInfo).port;
}

describe('choosePort', () => {
  it('names the port and the variable when the one asked for is taken', async () => {
    const port = await takePort();
    const wish = { purpose: 'the API', host: HOST, asked: { port, variable: 'PORT' }, claims };
    await expect(choosePort(wish)).rejects.toThrow(
      new RegExp(`Port ${port} .*asked for by PORT for the API, is taken`),
    );
  });

  it('takes another when the one that is only preferred is taken', async () => {
    const port = await takePort();
    const chosen = await choosePort({ purpose: 'the API', host: HOST, preferred: [port], claims });
    expect(chosen).not.toBe(port);
    expect(await isFree(chosen, HOST)).toBe(true);
  });

  it('does not give out a port twice, to another stack neither', async () => {
    const first = await choosePort({ purpose: 'a', host: HOST, claims });
    const second = await choosePort({ purpose: 'b', host: HOST, preferred: [first], claims });
    const others = openPortClaims();
    const third = await choosePort({ purpose: 'c', host: HOST, preferred: [first, second], claims: others });
    expect(new Set([first, second, third]).size).toBe(3);
    const asked = { port: first, variable: 'PORT' };
    await expect(choosePort({ purpose: 'd', host: HOST, asked, claims: others })).rejects.toThrow(/is taken/);

    await claims.release();
    expect(await choosePort({ purpose: 'd', host: HOST, asked, claims: others })).toBe(first);
    await others.release();
  });
});

describe('choosePorts', () => {
  it('stays with the ports of last time', async () => {
    const first = await choosePorts(home, {}, claims);
    await claims.release();
    expect(await choosePorts(home, {}, claims)).toEqual(first);
  });

  it('counts from LONGHAUL_EMBEDDED_PORT_BASE', async () => {
    const base = await choosePort({ purpose: 'test', host: HOST, claims });
    await claims.release();
    const env = { LONGHAUL_EMBEDDED_PORT_BASE: String(base) };
    const ports = await choosePorts(home, env, claims);
    const { postgres, temporal, temporalUi, metrics, paymentProvider, mailbox, smtp } = ports;
    const inOrder = [postgres, temporal, temporalUi, metrics, paymentProvider, mailbox, smtp];
    expect(inOrder).toEqual([base, base + 1, base + 2, base + 3, base + 4]);
  });

  it('names LONGHAUL_EMBEDDED_PORT_BASE when a port after it is taken', async () => {
    const taken = await takePort();
    const env = { LONGHAUL_EMBEDDED_PORT_BASE: String(taken - 1) };
    await expect(choosePorts(home, env, claims)).rejects.toThrow(
      /asked for by LONGHAUL_EMBEDDED_PORT_BASE .*is taken/,
    );
  });

  it.each(['nonsense', '0', '70000', '3.5'])('refuses PORT=%s', async (port) => {
    await expect(choosePorts(home, { PORT: port }, claims)).rejects.toThrow(
      `PORT is "${port}"; expected a port`,
    );
  });

  it('takes an empty PORT for none', async () => {
    expect((await choosePorts(home, { PORT: '' }, claims)).api).toBeGreaterThan(0);
  });
});
