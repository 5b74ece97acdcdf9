// Minified, identifiers too: every error still says its name, and is what it was.
import { inspect } from "node:util";
import * as urlpool from "urlpool";

const wrong = [];
for (const [name, value] of Object.entries(urlpool)) {
  if (typeof value !== "function" || !(value.prototype instanceof Error)) continue;
  if (value.name !== name) wrong.push(`${name} is called ${value.name}`);
  const error = new value("text", {});
  if (error.name !== name) wrong.push(`an error of ${name} says ${error.name}`);
  if (!String(error.stack).startsWith(`${name}:`))
    wrong.push(`the stack of ${name} begins ${error.stack.split("\n")[0]}`);
  if (!/^ERR_URLPOOL_/.test(error.code)) wrong.push(`${name} has no code`);
  for (let parent = value; parent !== Error && parent !== TypeError; parent = Object.getPrototypeOf(parent)) {
    if (!(error instanceof parent)) wrong.push(`${name} is no ${parent.name}`);
  }
}
const texts = [
  `${new urlpool.HTTPSConnectionPool("h.test")}`,
  inspect(new urlpool.PoolManager()),
  inspect(new urlpool.ProxyManager("http://p.test")),
  inspect(new urlpool.HTTPResponse()),
  inspect(new urlpool.HTTPHeaderDict()),
  inspect(new urlpool.Retry()),
  inspect(new urlpool.Timeout()),
];
const names = "HTTPSConnectionPool PoolManager ProxyManager HTTPResponse HTTPHeaderDict Retry Timeout".split(
  " ",
);
for (const [index, name] of names.entries()) {
  if (!texts[index].startsWith(name)) wrong.push(`a ${name} is shown as ${texts[index].slice(0, 20)}`);
}
class Own extends urlpool.HTTPError {}
const own = new Own("text");
if (!(own instanceof urlpool.HTTPError)) wrong.push("a class of the user's is no HTTPError");
console.log(wrong.length === 0 ? "all names survive" : wrong.join("\n"));
