/** PostgreSQL's numbers of its own types (pg_type.dat), by which a query describes its columns. */
export const OID = {
  bool: 16,
  bytea: 17,
  name: 19,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  oid: 26,
  json: 114,
  jsonArray: 199,
  float4: 700,
  float8: 701,
  money: 790,
  bpchar: 1042,
  varchar: 1043,
  date: 1082,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  interval: 1186,
  timetz: 1266,
  numeric: 1700,
  record: 2249,
  recordArray: 2287,
  uuid: 2950,
  jsonb: 3802,
} as const;

/** From here on types are somebody's own. */
export const FIRST_CREATED_TYPE = 16_384;
