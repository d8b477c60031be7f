// Passkeys on the pages of a login and of one's own: what the browser makes or
// signs goes into the form as JSON, and the form is sent (WebAuthn level 3).
//
//   button[data-passkey]   what to have signed, as JSON, when it is pressed
//   button[data-creation]  what to have made
//     data-do              the button as which the form is sent
//     data-failed          what to say when nothing came of it
//     data-offer           it is offered in the menu of the field too, where
//                          browsers can (mediation "conditional")

const form = document.getElementById("step");
const problem = document.getElementById("passkey-problem");

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const listed = (all) => all?.map((one) => ({ ...one, id: bytes(one.id) }));

let offered; // what ends the offer in the field's menu: a browser asks one thing at a time

function send(button, field, value) {
  form.elements[field].value = JSON.stringify(value);
  const does = document.createElement("input");
  does.type = "hidden";
  does.name = "do";
  does.value = button.dataset.do;
  form.append(does);
  form.submit();
}

const described = ({ id, rawId, type, authenticatorAttachment }, response) =>
  ({ id, rawId: text(rawId), type, authenticatorAttachment, clientExtensionResults: {}, response });

async function sign(button, more = {}) {
  const asked = JSON.parse(button.dataset.passkey);
  const got = await navigator.credentials.get({ ...more, publicKey: {
    ...asked, challenge: bytes(asked.challenge), allowCredentials: listed(asked.allowCredentials),
  } });
  const { clientDataJSON, authenticatorData, signature, userHandle } = got.response;
  send(button, "signed", described(got, {
    clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature),
    userHandle: userHandle ? text(userHandle) : undefined,
  }));
}

async function make(button) {
  if (!form.reportValidity()) return;
  const asked = JSON.parse(button.dataset.creation);
  const made = await navigator.credentials.create({ publicKey: {
    ...asked, challenge: bytes(asked.challenge), user: { ...asked.user, id: bytes(asked.user.id) },
    excludeCredentials: listed(asked.excludeCredentials),
  } });
  const { clientDataJSON, attestationObject } = made.response;
  send(button, "made", described(made, {
    clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject), transports: made.response.getTransports?.() ?? [],
  }));
}

function fail(button) {
  problem.textContent = button.dataset.failed;
  problem.hidden = false;
}

function ready(button) {
  if (!window.PublicKeyCredential) { // the other ways stay
    if (button.dataset.offer === undefined) fail(button);
    return;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    problem.hidden = true;
    button.disabled = true;
    offered?.abort();
    try {
      await (button.dataset.creation ? make(button) : sign(button));
    } catch (error) {
      console.warn(error);
      fail(button);
      button.focus();
    } finally {
      button.disabled = false;
    }
  });
}

// offer puts passkeys into the menu of the field for the name. Who picks none is
// asked nothing.
async function offer(button) {
  if (!await window.PublicKeyCredential?.isConditionalMediationAvailable?.()) return;
  offered = new AbortController();
  try {
    await sign(button, { mediation: "conditional", signal: offered.signal });
  } catch (error) {
    if (error.name !== "AbortError") console.warn(error);
  }
}

document.querySelectorAll("button[data-passkey], button[data-creation]").forEach(ready);
const field = document.querySelector("button[data-offer]");
if (field) offer(field);
