/** The words of a document that are neither its rows' nor its operator's, by language. */

export interface Labels {
  readonly invoice: string;
  readonly billTo: string;
  readonly for: string;
  readonly number: string;
  readonly date: string;
  readonly due: string;
  readonly customer: string;
  readonly reference: string;
  readonly description: string;
  readonly quantity: string;
  readonly unitPrice: string;
  readonly tax: string;
  readonly amount: string;
  readonly net: string;
  /** `{rate}` and `{net}` are filled in. */
  readonly taxOf: string;
  readonly total: string;
  readonly subtotal: string;
  readonly carried: string;
  /** `{page}` and `{pages}` are filled in. */
  readonly page: string;
}

export const LANGUAGES = ['en', 'de', 'fr', 'el', 'ja'] as const;
export type Language = (typeof LANGUAGES)[number];

export const LABELS: Readonly<Record<Language, Labels>> = {
  en: {
    invoice: 'Invoice',
    billTo: 'Bill to',
    for: 'For',
    number: 'Number',
    date: 'Date',
    due: 'Due',
    customer: 'Customer',
    reference: 'Your reference',
    description: 'Description',
    quantity: 'Quantity',
    unitPrice: 'Unit price',
    tax: 'VAT',
    amount: 'Amount',
    net: 'Net',
    taxOf: 'VAT {rate} on {net}',
    total: 'Total',
    subtotal: 'Subtotal',
    carried: 'Carried forward',
    page: 'Page {page} of {pages}',
  },
  de: {
    invoice: 'Rechnung',
    billTo: 'Rechnung an',
    for: 'Für',
    number: 'Nummer',
    date: 'Datum',
    due: 'Fällig am',
    customer: 'Kunde',
    reference: 'Ihr Zeichen',
    description: 'Bezeichnung',
    quantity: 'Menge',
    unitPrice: 'Einzelpreis',
    tax: 'USt.',
    amount: 'Betrag',
    net: 'Netto',
    taxOf: 'USt. {rate} auf {net}',
    total: 'Gesamtbetrag',
    subtotal: 'Zwischensumme',
    carried: 'Übertrag',
    page: 'Seite {page} von {pages}',
  },
  fr: {
    invoice: 'Facture',
    billTo: 'Facturé à',
    for: 'Pour',
    number: 'Numéro',
    date: 'Date',
    due: 'Échéance',
    customer: 'Client',
    reference: 'Votre référence',
    description: 'Désignation',
    quantity: 'Quantité',
    unitPrice: 'Prix unitaire',
    tax: 'TVA',
    amount: 'Montant',
    net: 'Total HT',
    taxOf: 'TVA {rate} sur {net}',
    total: 'Total TTC',
    subtotal: 'Sous-total',
    carried: 'Report',
    page: 'Page {page} sur {pages}',
  },
  el: {
    invoice: 'Τιμολόγιο',
    billTo: 'Προς',
    for: 'Για',
    number: 'Αριθμός',
    date: 'Ημερομηνία',
    due: 'Πληρωτέο έως',
    customer: 'Πελάτης',
    reference: 'Η αναφορά σας',
    description: 'Περιγραφή',
    quantity: 'Ποσότητα',
    unitPrice: 'Τιμή μονάδας',
    tax: 'ΦΠΑ',
    amount: 'Ποσό',
    net: 'Καθαρή αξία',
    taxOf: 'ΦΠΑ {rate} επί {net}',
    total: 'Σύνολο',
    subtotal: 'Μερικό σύνολο',
    carried: 'Εκ μεταφοράς',
    page: 'Σελίδα {page} από {pages}',
  },
  ja: {
    invoice: '請求書',
    billTo: '請求先',
    for: '対象',
    number: '請求書番号',
    date: '発行日',
    due: '支払期限',
    customer: 'お客様番号',
    reference: '貴社参照番号',
    description: '品目',
    quantity: '数量',
    unitPrice: '単価',
    tax: '税率',
    amount: '金額',
    net: '小計',
    taxOf: '消費税 {rate}（対象額 {net}）',
    total: '合計',
    subtotal: '小計',
    carried: '前頁より繰越',
    page: '{page} / {pages} ページ',
  },
};

/** A label with its `{names}` filled in. */
export function formatted(label: string, values: Readonly<Record<string, string>>): string {
  return label.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
