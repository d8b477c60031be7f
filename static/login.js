// What scripts add to the pages of a login. Every page works without them;
// they hang on data attributes and say nothing the page did not bring along.
//
//   body[data-stream]      address of the event stream; on "go" the form is sent
//   body[data-texts]       texts to say, by key, with plural forms
//   [data-left]            seconds left, counted down, beside a <progress>
//   [data-minutes]         seconds left, shown in minutes
//   [data-say]             a live region, empty at load
//   button[data-wait]      seconds until it may be pressed
//   [data-noscript]        only true, or needed, without scripts
//   [data-script]          only true with scripts
//   button[data-show]      shows the password in the field of that id
//   button[data-copy]      copies the text of the element of that id
//   time[datetime]         shown in the reader's own zone; with data-day, the day alone

const texts = JSON.parse(document.body.dataset.texts ?? "{}");
const lang = document.documentElement.lang;
const plural = new Intl.PluralRules(lang);
const form = document.getElementById("step");
const loaded = performance.now();
const passed = () => Math.floor((performance.now() - loaded) / 1000);

function text(key, args = {}) {
  let forms = texts[key] ?? "";
  if (typeof forms === "object") forms = forms[plural.select(args.n)] ?? forms.other;
  return forms.replace(/\{(\w+)\}/g, (whole, name) => args[name] ?? whole);
}

function say(words) {
  const live = document.querySelector("[data-say]");
  if (live) live.textContent = words;
}

// Sends the form as its "continue" button does, once, whatever asks for it.
let gone = false;
function go() {
  if (gone) return;
  gone = true;
  say(text("live.go"));
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "do";
  field.value = "continue";
  form.append(field);
  form.submit();
}

// Waiting: an event stream that says go and nothing else. Where something on
// the way swallows streams, the same address is asked again and again instead:
// it answers 204 while there is nothing new, 200 once there is. A refusal means
// that the journey is over, which the page will say; a failure means nothing.
function wait(address) {
  let source, timer, pause = 2000, failures = 0;

  function look() {
    clearTimeout(timer);
    fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" })
      .then(({ status }) => { if (status === 200 || [403, 404, 410].includes(status)) go(); })
      .catch(() => {})
      .finally(() => {
        if (gone || source) return;
        timer = setTimeout(look, pause);
        pause = Math.min(pause + 500, 5000);
      });
  }

  function listen() {
    source = new EventSource(address);
    source.addEventListener("go", go);
    source.onopen = () => { failures = 0; };
    source.onerror = () => {
      failures++;
      if (failures < 3 && source.readyState !== EventSource.CLOSED) return;
      source.close();
      source = undefined;
      look();
    };
  }

  listen();
  // A phone may have put this tab to sleep and missed the event.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
}

// Counting down. Screen readers hear of it three times, not every second.
function countdown(element) {
  const total = Number(element.dataset.left);
  const bar = element.closest("main").querySelector("progress[max][aria-label]");
  const spoken = new Set([30, 10]);
  say(text("live.sent"));
  element.textContent = text("live.left", { n: total });
  const timer = setInterval(() => {
    const left = Math.max(0, total - passed());
    element.textContent = text("live.left", { n: left });
    if (bar) bar.value = left;
    if (spoken.delete(left)) say(text("live.left", { n: left }));
    if (left > 0) return;
    clearInterval(timer);
    say(text("live.over"));
    setTimeout(go, 1500); // the page that says what now
  }, 1000);
}

function minutes(element) {
  const total = Number(element.dataset.minutes);
  const timer = setInterval(() => {
    const left = Math.max(0, total - passed());
    element.textContent = text("live.minutes", { n: Math.ceil(left / 60) });
    if (left === 0) { clearInterval(timer); setTimeout(go, 1500); }
  }, 1000);
}

function delay(button) {
  const total = Number(button.dataset.wait);
  const label = button.textContent;
  button.disabled = true;
  const tick = () => {
    const left = total - passed();
    button.disabled = left > 0;
    button.textContent = left > 0 ? text("live.wait", { label, n: left }) : label;
    if (left <= 0) clearInterval(timer);
  };
  const timer = setInterval(tick, 500);
  tick();
}

function show(button) {
  const field = document.getElementById(button.dataset.show);
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = field.type === "password";
    field.type = open ? "text" : "password";
    button.setAttribute("aria-pressed", String(open));
    field.focus();
  });
  // Managers of passwords save what is a password when it is sent.
  form.addEventListener("submit", () => { field.type = "password"; });
}

function copy(button) {
  if (!navigator.clipboard) return;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = text("live.copied");
    say(text("live.copied"));
    setTimeout(() => { button.textContent = label; }, 3000);
  });
}

// The reader's own time and, of the page's language, the reader's own region:
// of today the clock alone, else with the day. Latin digits, as everywhere.
const region = navigator.languages.find((l) => l.split("-")[0] === lang.split("-")[0]) ?? lang;
function localise(element) {
  const at = new Date(element.dateTime);
  if (element.dataset.day !== undefined) {
    element.title = element.textContent;
    element.textContent = day(at);
    return;
  }
  const options = { timeStyle: "short", numberingSystem: "latn" };
  if (at.toDateString() !== new Date().toDateString()) options.dateStyle = "long";
  element.title = element.textContent;
  element.textContent = new Intl.DateTimeFormat(region, options).format(at);
}

// Of the last week the day as people say it, such as "yesterday"; else its date.
function day(at) {
  const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);
  const ago = Math.round((midnight(Date.now()) - midnight(at)) / 86_400_000);
  return ago >= 0 && ago < 7
    ? new Intl.RelativeTimeFormat(`${region}-u-nu-latn`, { numeric: "auto" }).format(-ago, "day")
    : new Intl.DateTimeFormat(region, { dateStyle: "long", numberingSystem: "latn" }).format(at);
}

const each = (selector, act) => document.querySelectorAll(selector).forEach(act);
each("[data-noscript]", (element) => { element.hidden = true; });
each("[data-script]", (element) => { element.hidden = false; });
each("[data-left]", countdown);
each("[data-minutes]", minutes);
each("button[data-wait]", delay);
each("button[data-show]", show);
each("button[data-copy]", copy);
each("time[datetime]", localise);
if (document.body.dataset.stream) wait(document.body.dataset.stream);

// A page the browser kept for "back" is of a step long past: ask anew.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
