// Passkeys on the sign-in and self-service pages: the browser's credential or
// assertion goes into the form as JSON, and the form is sent (WebAuthn level 3).
//
//   button[data-passkey]   options of an assertion, as JSON; it is requested when
//                          the button is pressed
//   button[data-creation]  options of a new credential
//     data-do              value of the button as which the form is sent
//     data-failed          what to say when it failed
//     data-offer           offer passkeys in the autofill menu of the field too,
//                          where browsers can (mediation "conditional")
//     data-ask             request it once without a press, when the page opens

const form = document.getElementById("step");
const problem = document.getElementById("passkey-problem");

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decodedIDs = (all) => all?.map((one) => ({ ...one, id: bytes(one.id) }));

let autofill; // ends the offer in the autofill menu: a browser allows one request at a time

function send(button, field, value) {
  form.elements[field].value = JSON.stringify(value);
  const submitted = document.createElement("input");
  submitted.type = "hidden";
  submitted.name = "do";
  submitted.value = button.dataset.do;
  form.append(submitted);
  form.submit();
}

const credentialJSON = ({ id, rawId, type, authenticatorAttachment }, response) =>
  ({ id, rawId: text(rawId), type, authenticatorAttachment, clientExtensionResults: {}, response });

async function sign(button, more = {}) {
  const options = JSON.parse(button.dataset.passkey);
  const got = await navigator.credentials.get({ ...more, publicKey: {
    ...options, challenge: bytes(options.challenge), allowCredentials: decodedIDs(options.allowCredentials),
  } });
  const { clientDataJSON, authenticatorData, signature, userHandle } = got.response;
  send(button, "signed", credentialJSON(got, {
    clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature),
    userHandle: userHandle ? text(userHandle) : undefined,
  }));
}

async function make(button) {
  if (!form.reportValidity()) return;
  const options = JSON.parse(button.dataset.creation);
  const made = await navigator.credentials.create({ publicKey: {
    ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: decodedIDs(options.excludeCredentials),
  } });
  const { clientDataJSON, attestationObject } = made.response;
  send(button, "made", credentialJSON(made, {
    clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject), transports: made.response.getTransports?.() ?? [],
  }));
}

function fail(button) {
  problem.textContent = button.dataset.failed;
  problem.hidden = false;
}

function ready(button) {
  if (!window.PublicKeyCredential) { // the other methods stay
    if (button.dataset.offer === undefined) fail(button);
    return;
  }
  button.hidden = false;
  button.addEventListener("click", () => request(button));
  // Some browsers request nothing without a press: then the button is there.
  if (button.dataset.ask !== undefined) request(button);
}

async function request(button) {
  problem.hidden = true;
  button.disabled = true;
  autofill?.abort();
  try {
    await (button.dataset.creation ? make(button) : sign(button));
  } catch (error) {
    console.warn(error);
    fail(button);
    button.focus();
  } finally {
    button.disabled = false;
  }
}

// offerInAutofill puts passkeys into the autofill menu of the field for the user
// name. The browser asks for nothing unless one is picked.
async function offerInAutofill(button) {
  if (!await window.PublicKeyCredential?.isConditionalMediationAvailable?.()) return;
  autofill = new AbortController();
  try {
    await sign(button, { mediation: "conditional", signal: autofill.signal });
  } catch (error) {
    if (error.name !== "AbortError") console.warn(error);
  }
}

document.querySelectorAll("button[data-passkey], button[data-creation]").forEach(ready);
const field = document.querySelector("button[data-offer]");
if (field) offerInAutofill(field);
