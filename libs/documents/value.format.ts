/** Values as people of a language read them. They come as PostgreSQL writes them: exact, never through a double. */
import { DocumentRefusal } from './document.refusal.js';
import type { ValueFormat } from './document.schema.js';
import type { Row } from './letter.js';

export interface Formats {
  /** Minor units, e.g. `123456` → €1,234.56. */
  money(minor: bigint): string;
  /** A value of a row's column; null is nothing. Throws DocumentRefusal where it is not of that format. */
  value(format: ValueFormat, row: Row, column: string): string;
}

export interface FormatOptions {
  readonly language: string;
  readonly region: string | undefined;
  /** ISO 4217; a document without money needs none. */
  readonly currency: string | undefined;
}

const DECIMALS_MAX = 6;

export function createFormats({ language, region, currency }: FormatOptions): Formats {
  const locale = region === undefined ? language : `${language}-${region}`;
  const money = currency === undefined ? undefined : currencyOf(locale, currency);
  const digits = money?.resolvedOptions().maximumFractionDigits ?? 0;
  const integers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const decimals = new Intl.NumberFormat(locale, { maximumFractionDigits: DECIMALS_MAX });
  const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: DECIMALS_MAX });
  const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' });
  const formats: Formats = {
    money(minor) {
      if (!money) {
        throw new DocumentRefusal(
          'currency_missing',
          'The document has money in it, but its head has no column "currency" (e.g. EUR) to say which.',
        );
      }
      return money.format(decimalOf(minor, digits));
    },
    value(format, row, column) {
      const text = row[column] ?? null;
      if (text === null) return '';
      switch (format) {
        case 'text':
          return text;
        case 'integer':
          return integers.format(wholeOf(text, column));
        case 'decimal':
          return decimals.format(numberOf(text, column));
        case 'percent':
          return percents.format(`${numberOf(text, column)}e-2` as Intl.StringNumericLiteral);
        case 'date':
          return dates.format(dayOf(text, column));
        case 'money':
          return formats.money(wholeOf(text, column));
      }
    },
  };
  return formats;
}

/** A whole number, exact. */
export function wholeOf(text: string, column: string): bigint {
  if (!/^-?\d{1,30}$/.test(text)) throw unreadable(column, 'a whole number');
  return BigInt(text);
}

/** A decimal, as text, so that nothing of it is lost. */
function numberOf(text: string, column: string): Intl.StringNumericLiteral {
  if (!/^-?\d{1,30}(\.\d{1,30})?$/.test(text)) throw unreadable(column, 'a number');
  return text as Intl.StringNumericLiteral;
}

/** The day of a date or timestamp, as a time in UTC. */
export function dayOf(text: string, column: string): Date {
  const match = /^(\d{4})-(\d{2})-(\d{2})/.exec(text);
  if (!match) throw unreadable(column, 'a date like 2026-01-31');
  return new Date(Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3])));
}

/** `123456` with two digits → `1234.56`. */
function decimalOf(minor: bigint, digits: number): Intl.StringNumericLiteral {
  const sign = minor < 0n ? '-' : '';
  const text = String(minor < 0n ? -minor : minor).padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  return (
    digits === 0 ? sign + whole : `${sign}${whole}.${text.slice(-digits)}`
  ) as Intl.StringNumericLiteral;
}

function currencyOf(locale: string, currency: string): Intl.NumberFormat {
  if (!/^[A-Z]{3}$/.test(currency)) {
    throw new DocumentRefusal(
      'currency_unknown',
      'Expected a code of three letters, e.g. EUR, in column "currency"; the head has something else.',
    );
  }
  return new Intl.NumberFormat(locale, { style: 'currency', currency });
}

function unreadable(column: string, expected: string): DocumentRefusal {
  return new DocumentRefusal(
    'value_unreadable',
    `Expected ${expected} in column "${column}"; a row has something else. Mend the row, or the column's format in the datasets' file.`,
  );
}
