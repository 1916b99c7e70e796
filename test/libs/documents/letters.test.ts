/** Invoices and statements from rows to pages, read back as a reader's program reads them. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { invoiceRows } from './rows.js';
import { laidOut, letterFor, outcomeOf, pagesOf, STATEMENT } from './setup.js';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const plain = (text: string): string => text.replace(/[\u00a0\u202f]/g, ' ').replace(/\s+/g, ' ');

test('a long invoice repeats its head, carries its sum forward and numbers its pages', async () => {
  const { pdf, pages } = laidOut(letterFor(invoiceRows(300)));
  const texts = (await pagesOf(pdf)).map(plain);
  expect(pages).toBe(texts.length);
  expect(pages).toBeGreaterThan(8);
  texts.forEach((text, index) => expect(text).toContain(`Page ${index + 1} of ${pages}`));

  const tables = texts.filter((text) => text.includes('Unit price'));
  expect(tables.length).toBeGreaterThanOrEqual(pages - 1);
  const carried = tables.map((text) => /Carried forward €([\d,.]+)/.exec(text)?.[1]);
  expect(carried[0]).toBeUndefined();
  // What is carried to a page is what the lines before its first one come to.
  const lines = invoiceRows(300).lines;
  for (const [index, text] of tables.entries()) {
    if (index === 0) continue;
    const first = Number(/Carried forward €[\d,.]+ (\d+) /.exec(text)?.[1]);
    const before = lines.slice(0, first - 1).reduce((sum, line) => sum + Number(line['amount_minor']), 0);
    expect(Number(carried[index]?.replaceAll(',', '')) * 100).toBeCloseTo(before, 5);
  }
});

test('every letter is text of its own fonts, embedded: Greek, Cyrillic, Japanese, Hebrew, Arabic', async () => {
  const { pdf } = laidOut(letterFor(invoiceRows(5)));
  const raw = Buffer.from(pdf).toString('latin1');
  for (const font of ['NotoSans-Regular', 'Almarai-Regular', 'NotoSansHebrew-Regular', 'BIZUDGothic-Bold'])
    expect(raw).toMatch(new RegExp(`/BaseFont /[A-Z]{6}\\+${font}`));
  expect(raw.match(/\/FontFile2/g)?.length).toBe(raw.match(/\/Type \/FontDescriptor/g)?.length);
  expect(raw).toContain('pdfaid:part');
  const [page = ''] = await pagesOf(pdf);
  for (const word of [
    '株式会社 東京海運',
    'Φορτοεκφόρτωση',
    'Хранение',
    'Bill to',
    'נמל',
    'ميناء',
    'التخليص',
  ])
    expect(page).toContain(word);
});

test('the same rows are the same bytes', () => {
  const letter = letterFor(invoiceRows(40));
  const here = sha256(laidOut(letter).pdf);
  expect(sha256(laidOut(letterFor(invoiceRows(40))).pdf)).toBe(here);
});

test('one row more, another price, another word of the operator: other bytes', () => {
  const base = sha256(laidOut(letterFor(invoiceRows(3))).pdf);
  const dearer = invoiceRows(3);
  const [first, ...others] = dearer.lines;
  const changed = { ...dearer, lines: [{ ...first, amount_minor: '1251' }, ...others] };
  const bytes = [
    laidOut(letterFor(invoiceRows(4))),
    laidOut(letterFor(changed)),
    laidOut(letterFor(invoiceRows(3), { intro: 'Dear customer,' })),
  ];
  expect(new Set([base, ...bytes.map(({ pdf }) => sha256(pdf))]).size).toBe(4);
});

test('a sign that no font has is refused by its number, and nothing of it is drawn', () => {
  const rows = invoiceRows(2);
  const lines = [{ ...rows.lines[0], description: 'Party 🎉' }];
  expect(outcomeOf(letterFor({ ...rows, lines }))).toEqual({
    refused: { code: 'letters_missing', message: expect.stringContaining('U+1F389') as unknown },
  });
});

test('a word wider than its column is broken, and all of it is there', async () => {
  const rows = invoiceRows(1);
  const word = 'W'.repeat(400);
  const { pdf } = laidOut(letterFor({ ...rows, lines: [{ ...rows.lines[0], description: word }] }));
  const text = (await pagesOf(pdf)).join('').replace(/[\s\u200b]/g, '');
  expect(text.match(/W{300,}/)?.[0]).toHaveLength(400);
});

test('no lines at all make an invoice over nothing', async () => {
  const [page = ''] = await pagesOf(laidOut(letterFor(invoiceRows(0))).pdf);
  expect(plain(page)).toContain('Total €0.00');
});

test('what an operator or a row says is text, never the template’s language', async () => {
  const trap = '#panic("x") $ a_b * _c_ \\ <label> @ref `raw` // gone';
  const rows = invoiceRows(1);
  const letter = letterFor(
    { ...rows, lines: [{ ...rows.lines[0], description: trap }] },
    { intro: trap, notes: [trap] },
  );
  const text = plain((await pagesOf(laidOut(letter).pdf)).join(' '));
  expect(text.split(trap)).toHaveLength(4);
});

test('a statement has a subtotal a group and one of all', async () => {
  const day = (line: number, date: string, port: string, calls: number) => ({
    line: String(line),
    day: date,
    port,
    calls: String(calls),
  });
  const rows = {
    head: { subject: 'Piraeus\nPier II', issued_on: '2026-03-31' },
    lines: [
      day(1, '2026-03-01', 'GRPIR', 3),
      day(2, '2026-03-01', 'JPTYO', 4),
      day(3, '2026-03-02', 'ILHFA', 1200),
    ],
    figure: [],
  };
  const letter = letterFor(rows, { language: 'de' }, STATEMENT);
  const text = plain((await pagesOf(laidOut(letter).pdf)).join(' '));
  expect(text).toMatch(/1\. März 2026 JPTYO 4 Zwischensumme 7 /);
  expect(text).toMatch(/Zwischensumme 1\.200 Gesamtbetrag 1\.207/);
});
