// Presses the button of a page that only sends the browser on, such as a SAML
// response by POST. Without scripts the person presses it.
document.getElementById("autosubmit").submit();
