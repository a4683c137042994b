// Runs the script of the passkey pages in a page that is made up: stdin `{script, kind, asked, answer}`; prints what it
// asked the browser for, and what it put into the form.
"use strict";
const vm = require("node:vm");
const given = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const hex = (buffer) => Buffer.from(buffer).toString("hex");
const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex")).buffer;
const told = {};
const listeners = [];
const form = {
  hidden: true,
  dataset: { [given.kind]: JSON.stringify(given.asked), error: "La clé d’accès n’a pas pu être utilisée." },
  elements: { cle: { value: "" } },
  addEventListener: (_, listener) => listeners.push(listener),
  requestSubmit: () => {
    let prevented = false;
    listeners.forEach((each) => each({ preventDefault: () => (prevented = true) }));
    console.log(JSON.stringify({ ...told, hidden: form.hidden, prevented, sent: form.elements.cle.value }));
  },
};
const error = { textContent: "" };
const credentials = async ({ publicKey }) => {
  told.challenge = hex(publicKey.challenge);
  told.allowed = publicKey.allowCredentials.map((each) => hex(each.id));
  told.user = publicKey.user ? hex(publicKey.user.id) : null;
  if (!given.answer) throw new Error("refused");
  const response = Object.fromEntries(Object.entries(given.answer).map(([name, value]) => [name, bytes(value)]));
  return { id: given.id, rawId: bytes(given.rawId), type: "public-key", response };
};
const page = {
  document: { getElementById: (id) => (id === "passkey" ? form : error) },
  navigator: { credentials: { get: credentials, create: credentials } },
  atob, btoa, Uint8Array, JSON, String,
};
page.window = { PublicKeyCredential: class {} };
vm.runInNewContext(given.script, page);
let prevented = false;
listeners[0]({ preventDefault: () => (prevented = true) }).then(() => {
  if (!prevented || error.textContent) console.log(JSON.stringify({ error: error.textContent }));
});
