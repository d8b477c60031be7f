// Submits the form of a page that only sends the browser on, such as a SAML response
// by POST. Without scripts the person presses the button.
document.getElementById("autosubmit").submit();
