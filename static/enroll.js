// Takes the secret of an enrolment mail's link out of the address, where no
// server and no Referer sees it, into the form that begins the enrolment. Who
// has no scripts pastes it there.
const mark = "#i1.";
const field = document.getElementById("secret");

if (location.hash.startsWith(mark)) {
  field.value = location.hash.slice(mark.length);
  document.getElementById("by-hand").hidden = true;
}

// What was used needs no place in the browser's history.
field.form.addEventListener("submit", () => history.replaceState(null, "", location.pathname));
