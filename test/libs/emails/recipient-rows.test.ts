import { expect, it } from 'vitest';
import { readRows, type Row, type RowFormat } from '../../../libs/emails/recipient-rows.js';

/** Rows of an upload that arrives in pieces of so many bytes. */
async function read(upload: string | Buffer, format: RowFormat, pieceBytes = 7): Promise<Row[]> {
  const bytes = Buffer.from(upload as string);
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const rows: Row[] = [];
  for await (const row of readRows(pieces(), format)) rows.push(row);
  return rows;
}

it('reads CSV with quoted cells, a byte order mark and any line ends, whatever the pieces', async () => {
  const csv =
    '\uFEFFname,address,note\r\n"Lovelace, Ada",ada@Bücher.example,"one\ntwo"\r\n\r\nZoë,zoe@example.com,é\r\n';
  for (const pieceBytes of [1, 7, 1_000]) {
    expect(await read(csv, 'csv', pieceBytes)).toEqual([
      {
        line: 2,
        recipient: {
          address: 'ada@xn--bcher-kva.example',
          name: 'Lovelace, Ada',
          values: { note: 'one\ntwo' },
        },
      },
      { line: 5, recipient: { address: 'zoe@example.com', name: 'Zoë', values: { note: 'é' } } },
    ]);
  }
});

it('reads NDJSON with values of their own types', async () => {
  const ndjson =
    '{"address":"ada@example.com","amount":12.5,"paid":true,"none":null}\n\n{"address":"zoe@example.com"}';
  expect(await read(ndjson, 'ndjson')).toEqual([
    { line: 1, recipient: { address: 'ada@example.com', values: { amount: 12.5, paid: true } } },
    { line: 3, recipient: { address: 'zoe@example.com', values: {} } },
  ]);
});

it('tells of each bad row, by its line, and never quotes it', async () => {
  const csv = 'address,name\nada@example.com\nnobody,X\nzoe@example.com,"a\nb"\nok@example.com,Y\n';
  const rows = await read(csv, 'csv');
  expect(rows.map(({ line, problem }) => [line, problem])).toEqual([
    [2, 'The row has 1 cells; the first line names 2.'],
    [3, 'The address has no @.'],
    [4, 'The name must be one line of at most 200 characters.'],
    [6, undefined],
  ]);
  const ndjson =
    '[]\n{"address":1}\nno\n{"address":"a@example.com","x":{}}\n{"address":"a@example.com","__proto__":"x"}\n';
  expect((await read(ndjson, 'ndjson')).map(({ problem }) => problem)).toEqual([
    'Expected an object with an "address".',
    'Expected an "address", a text.',
    'The line is no JSON.',
    '"x" must be a text, a number, true or false.',
    'A field’s name is letters, digits and _, beginning with a letter.',
  ]);
});

it.each([
  ['no address', 'csv', 'name\nAda\n', 'one of them "address"'],
  ['nothing', 'csv', '', 'It is empty'],
  ['a column twice', 'csv', 'address,address\n', 'Two columns are named "address"'],
  ['a column’s name with a space', 'csv', 'address,first name\n', 'A column’s name is letters'],
  ['an open quote', 'csv', 'address\n"ada@example.com\n', 'It is no CSV: CSV_QUOTE_NOT_CLOSED'],
  ['an endless row', 'csv', `address\n"${'a'.repeat(70_000)}"\n`, 'a row has more than 65536 bytes'],
  ['an endless line', 'ndjson', `"${'a'.repeat(70_000)}"`, 'A line has more than 65536 bytes'],
] as const)('refuses a list with %s', async (_, format, upload, message) => {
  await expect(read(upload, format, 10_000)).rejects.toThrow(message);
});

it('refuses what is not UTF-8', async () => {
  const latin1 = Buffer.from('address\nzoë@example.com\n', 'latin1');
  await expect(read(latin1, 'csv')).rejects.toThrow('It is not UTF-8.');
  await expect(read(latin1, 'ndjson')).rejects.toThrow('It is not UTF-8.');
});
