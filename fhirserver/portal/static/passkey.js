// A passkey is made or asked for: what the server asks stands in the form, what the browser answers goes back in it.
"use strict";
(() => {
  const form = document.getElementById("passkey");
  if (!form || !window.PublicKeyCredential) return;
  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (each) => each.charCodeAt(0));
  };
  const text = (buffer) => {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const credentials = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));
  const asked = JSON.parse(form.dataset.get || form.dataset.create);
  asked.challenge = bytes(asked.challenge);
  asked.allowCredentials = credentials(asked.allowCredentials);
  asked.excludeCredentials = credentials(asked.excludeCredentials);
  if (asked.user) asked.user.id = bytes(asked.user.id);
  form.hidden = false;
  let answered = false;
  form.addEventListener("submit", async (event) => {
    if (answered) return;
    event.preventDefault();
    const error = document.getElementById("passkey-error");
    error.textContent = "";
    try {
      const credential = form.dataset.get
        ? await navigator.credentials.get({ publicKey: asked })
        : await navigator.credentials.create({ publicKey: asked });
      const response = {};
      for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
        if (credential.response[name]) response[name] = text(credential.response[name]);
      }
      form.elements.cle.value = JSON.stringify({
        id: credential.id,
        rawId: text(credential.rawId),
        type: credential.type,
        response,
        clientExtensionResults: {},
      });
      answered = true;
      form.requestSubmit();
    } catch {
      error.textContent = form.dataset.error;
    }
  });
})();
