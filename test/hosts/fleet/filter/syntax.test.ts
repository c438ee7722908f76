import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Expression, parseExpression } from "../../../../hosts/fleet/filter/syntax.ts";

/** An expression as nested lists, its values in brackets. */
function shape(expression: Expression): unknown {
  return expression.kind === "comparison"
    ? `${expression.field}${expression.operator}[${expression.values.map(({ text }) => text).join("|")}]`
    : [expression.kind, ...expression.of.map(shape)];
}

const read: readonly (readonly [string, unknown])[] = [
  ["a==1", "a==[1]"],
  ["  a == 1  ", "a==[1]"],
  ["a==1;b!=2", ["all", "a==[1]", "b!=[2]"]],
  ["a==1,b!=2", ["any", "a==[1]", "b!=[2]"]],
  ["a==1,b==2;c==3", ["any", "a==[1]", ["all", "b==[2]", "c==[3]"]]],
  ["(a==1,b==2);c==3", ["all", ["any", "a==[1]", "b==[2]"], "c==[3]"]],
  ["a==1 and b==2 or c==3", ["any", ["all", "a==[1]", "b==[2]"], "c==[3]"]],
  ["a==1 AND (b==2 OR c==3)", ["all", "a==[1]", ["any", "b==[2]", "c==[3]"]]],
  ["a=in=(x,y, 'z z')", "a=in=[x|y|z z]"],
  ["a=IN=(x)", "a=in=[x]"],
  ["a<1;b<=2;c>3;d>=4", ["all", "a<[1]", "b<=[2]", "c>[3]", "d>=[4]"]],
  ['a=="x;y,(z)"', "a==[x;y,(z)]"],
  ["a=='it\\'s \\\\'", "a==[it's \\]"],
  ["a==''", "a==[]"],
  ["attribute.fw-name==x", "attribute.fw-name==[x]"],
  ["order==1;andy==2", ["all", "order==[1]", "andy==[2]"]],
  ["a==b or", "refused 6"],
];

for (const [text, expected] of read)
  test(`reads ${text}`, () => {
    const parsed = parseExpression(text);
    const told = parsed.ok ? shape(parsed.value) : `refused ${parsed.defect.column}`;
    assert.deepEqual(told, expected);
  });

const refused: readonly (readonly [string, number, RegExp])[] = [
  ["", 1, /at least one comparison/],
  ["a", 2, /expected an operator after a, such as == or =in=, and the filter ends/],
  ["a=1", 2, /expected an operator after a.*not "="/],
  ["a==", 4, /expected a value, and the filter ends/],
  ["a==;b==1", 4, /expected a value, not ";"/],
  ["a==1;", 6, /expected a field, such as hardware, and the filter ends/],
  ["a==1;;b==2", 6, /expected a field.*not ";"/],
  ["(a==1", 6, /the parenthesis of column 1 is not closed/],
  ["a==1)", 5, /this parenthesis closes none/],
  ["a=in=(1,2", 10, /the list of column 6 is not closed/],
  ["a=='x", 6, /the quote of column 4 is not closed/],
  ["a==1 b==2", 6, /expected ";" \(and\), "," \(or\) or the end, not "b"/],
  ["==1", 1, /expected a field/],
  [`${"(".repeat(17)}a==1${")".repeat(17)}`, 17, /parentheses stand at most 16 deep/],
  [Array.from({ length: 65 }, () => "a==1").join(";"), 321, /at most 64 comparisons/],
  [`a=in=(${Array.from({ length: 501 }, () => "1").join(",")})`, 1007, /at most 500 values/],
  ["a".repeat(4097), 4097, /at most 4096 characters, this one has 4097/],
];

for (const [text, column, message] of refused)
  test(`refuses ${JSON.stringify(text.slice(0, 40))} at column ${column}`, () => {
    const parsed = parseExpression(text);
    assert.ok(!parsed.ok);
    assert.equal(parsed.defect.column, column);
    assert.match(parsed.defect.message, message);
  });

test("reads or refuses any text, and points into it", () => {
  const part = fc.constantFrom(
    ...[
      "a",
      "==",
      "=in=",
      "(",
      ")",
      ";",
      ",",
      "'",
      '"',
      "\\",
      " ",
      "*",
      "é",
      "and",
      "or",
      "<",
      "!=",
    ],
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const text = parts.join("");
      const parsed = parseExpression(text);
      if (parsed.ok) return;
      assert.ok(parsed.defect.column >= 1 && parsed.defect.column <= text.length + 1, text);
      assert.ok(parsed.defect.message.length > 10);
    }),
    { numRuns: 2000 },
  );
});
