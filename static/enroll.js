// Moves the secret of an enrolment mail's link from the address's fragment, which is
// sent to no server and in no Referer, into the form that begins the enrolment.
// Without scripts the person pastes it there.
const prefix = "#i1.";
const field = document.getElementById("secret");

if (location.hash.startsWith(prefix)) {
  field.value = location.hash.slice(prefix.length);
  document.getElementById("by-hand").hidden = true;
}

// A used secret must not stay in the browser's history.
field.form.addEventListener("submit", () => history.replaceState(null, "", location.pathname));
