import assert from "node:assert/strict";
import { test } from "node:test";
import { sources } from "./sources.ts";

/** Words of SQL that SQLite knows and PostgreSQL does not, or not so. */
const sqliteAlone =
  /\bpragma\b|\bpragma_\w+|\bjson_(?:each|extract|valid|array|object|group_array)\b|\boctet_length\b|\bsqlite_(?:schema|master|sequence)\b|\blimit\(-1\)|\browid\b|\binsert or\b|\bdatetime\(|\bunixepoch\(/i;
const isAtHome = (path: string): boolean =>
  /^hosts\/fleet\/(storage\/sqlite|migrations)\//.test(path);
const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g, "");

test("SQL that SQLite alone knows stands in storage/sqlite and in the migrations", () => {
  const found = [...sources("hosts/fleet")]
    .filter(({ path, text }) => !isAtHome(path) && sqliteAlone.test(withoutComments(text)))
    .map(({ path }) => path);
  assert.deepEqual(found, []);
});

test("the rule sees such SQL, and lets standard SQL and comments through", () => {
  for (const text of [
    "sql`pragma user_version`",
    "sql`select value from json_each(?)`",
    "sql`update sqlite_sequence set seq = 1`",
    "query.limit(-1).offset(5)",
    "sql`insert or replace into devices`",
  ])
    assert.match(withoutComments(text), sqliteAlone);
  for (const text of ["sql`select max(id) from devices`", "// a pragma of the file", "/* rowid */"])
    assert.doesNotMatch(withoutComments(text), sqliteAlone);
});

test("the rule looks where such SQL is", () => {
  const home = [...sources("hosts/fleet/storage/sqlite")].map(({ text }) => text).join("\n");
  assert.match(withoutComments(home), sqliteAlone);
});
