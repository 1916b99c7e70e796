/** A reader of CSV by RFC 4180 that shares nothing with the writer under test. Unquoted empty fields are null. */
export function parseCsv(text: string): (string | null)[][] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === '"') {
      let value = '';
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw new Error('a quoted field does not end');
        if (text[at] !== '"') value += text[at];
        else if (text[at + 1] === '"') {
          value += '"';
          at += 1;
        } else break;
      }
      at += 1;
      row.push(value);
    } else {
      const end = text.slice(at).search(/[,\n]/);
      if (end < 0) throw new Error('the last line does not end');
      const value = text.slice(at, at + end);
      if (/["\r]/.test(value)) throw new Error(`an unquoted field holds a quote or CR: ${value}`);
      row.push(value === '' ? null : value);
      at += end;
    }
    if (text[at] === '\n') {
      rows.push(row);
      row = [];
    } else if (text[at] !== ',') throw new Error(`expected , or a line's end at ${at}`);
    else if (text[at + 1] === '\n') {
      row.push(null);
      rows.push(row);
      row = [];
      at += 1;
    }
    at += 1;
  }
  return rows;
}
