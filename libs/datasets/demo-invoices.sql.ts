/**
 * Invoices of a freight forwarder in Piraeus, as the demo's source has them: six months of six customers, whose names and
 * goods are in the letters of seven languages. Invented, and the same on every machine.
 */

const COLUMNS = `
  create table if not exists invoices (number text not null, version integer not null, issued_on date not null,
    due_on date not null, currency text not null, customer_number text not null, customer text not null,
    customer_address text not null, reference text not null, primary key (number, version));
  create table if not exists invoice_lines (number text not null, version integer not null, line integer not null,
    description text not null, quantity numeric not null, unit text not null, unit_price_minor bigint not null,
    amount_minor bigint not null, tax_percent numeric not null, primary key (number, version, line));`;

/** Number, currency, tax, lines of an invoice, name, address. */
const CUSTOMERS = `
  (1, 'EUR', 24, 9, 'Αφοί Παπαδόπουλοι Α.Ε.', E'Λεωφόρος Βασιλίσσης Σοφίας 12\n106 74 Αθήνα\nΕλλάδα'),
  (2, 'EUR', 0, 16, 'Черноморская торговая компания «Одиссей»', E'ул. Приморская 5\n9000 Варна\nБългария'),
  (3, 'USD', 0, 300, 'Levant Wholesale Trading', E'Rue Gouraud 44\nBeirut\nLebanon'),
  (4, 'EUR', 0, 5, 'شركة النيل للاستيراد والتصدير', E'١٢ شارع طلعت حرب\nالقاهرة\nمصر'),
  (5, 'EUR', 0, 12, 'צים ובניו סחר בינלאומי בע״מ', E'דרך העצמאות 45\nחיפה\nישראל'),
  (6, 'JPY', 0, 24, '株式会社 東京海運', E'〒105-0011\n東京都港区芝公園 4-2-8\n日本')`;

/** Place, description, unit, price in cents. */
const SERVICES = `
  (0, 'Ocean freight Piraeus, 40 ft container', 'pcs', 184000),
  (1, 'Φορτοεκφόρτωση εμπορευματοκιβωτίου', 'pcs', 12650),
  (2, 'Таможенное оформление', 'h', 7800),
  (3, '冷凍コンテナの電源供給', 'd', 5400),
  (4, 'Lagerung im Freilager, je angefangener Tag und Stellplatz, einschließlich Bewachung', 'd', 1890),
  (5, 'التخليص الجمركي', 'h', 8200),
  (6, 'תיווך מכס וליווי מטען', 'h', 7650),
  (7, 'Weighing and VGM certificate (SOLAS)', 'pcs', 4500)`;

/** Fills empty tables; safe to repeat. */
export const DEMO_INVOICES_SQL = `${COLUMNS}
  with customers (customer, currency, tax, lines, name, address) as (values ${CUSTOMERS}),
    months (month) as (select generate_series(0, 5)),
    issued as (
      select c.*, month, (date '2025-10-31' + month * interval '1 month')::date as issued_on, 6 + month * 6 + customer as place
        from customers c, months),
    numbered as (select i.*, to_char(issued_on, '"INV-"YYYY"-"') || lpad(place::text, 4, '0') as number from issued i),
    services (service, description, unit, price) as (values ${SERVICES}),
    invoiced as (
      insert into invoices select number, 1, issued_on, issued_on + 30, currency, 'C-' || 2000 + customer, name, address,
          'PO ' || 700 + place from numbered on conflict do nothing returning number)
  insert into invoice_lines
    select n.number, 1, line, s.description, quantity, s.unit, priced.each, priced.quantity * priced.each, tax
      from numbered n
      join invoiced using (number)
      cross join lateral generate_series(1, n.lines) line
      join services s on s.service = (line * 5 + n.customer + n.month) % 8
      cross join lateral (select 1 + (line * line + line / 8 + n.place) % 9 as quantity,
        case n.currency when 'JPY' then round(s.price * 1.6) else s.price end::bigint as each) priced
  on conflict do nothing;`;
