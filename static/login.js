// What scripts add to the sign-in pages. Every page works without them. They act on
// data attributes, and all their texts come with the page.
//
//   body[data-stream]      address of the event stream; on "go" the form is sent
//   body[data-texts]       texts for screen readers and counters, by key, with plural forms
//   [data-left]            seconds left, counted down, beside a <progress>
//   [data-minutes]         seconds left, shown in minutes
//   [data-say]             a live region, empty at load
//   button[data-wait]      seconds until it may be pressed
//   [data-noscript]        shown only without scripts
//   [data-script]          shown only with scripts
//   button[data-show]      shows the password in the field of that id
//   button[data-copy]      copies the text of the element of that id
//   [data-reload]          the page is shown once: a reload gets this address instead
//   time[datetime]         shown in the reader's own time zone; with data-day, only the day

const texts = JSON.parse(document.body.dataset.texts ?? "{}");
const lang = document.documentElement.lang;
const plural = new Intl.PluralRules(lang);
const form = document.getElementById("step");
const loaded = performance.now();
const secondsSinceLoad = () => Math.floor((performance.now() - loaded) / 1000);

function text(key, args = {}) {
  let forms = texts[key] ?? "";
  if (typeof forms === "object") forms = forms[plural.select(args.n)] ?? forms.other;
  return forms.replace(/\{(\w+)\}/g, (whole, name) => args[name] ?? whole);
}

function announce(words) {
  const live = document.querySelector("[data-say]");
  if (live) live.textContent = words;
}

// submitOnce sends the form as its "continue" button does, and only once.
let submitted = false;
function submitOnce() {
  if (submitted) return;
  submitted = true;
  announce(text("live.go"));
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "do";
  field.value = "continue";
  form.append(field);
  form.submit();
}

// waitForEvent waits for an event stream to send "go", its only event. Where a proxy
// blocks streams, the same address is polled instead: it answers 204 while there is
// nothing new, and 200 once there is. 403, 404 and 410 mean that the journey is over,
// and the next page says so; other failures are ignored.
function waitForEvent(address) {
  let source, timer, pause = 2000, failures = 0;

  function poll() {
    clearTimeout(timer);
    fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" })
      .then(({ status }) => { if (status === 200 || [403, 404, 410].includes(status)) submitOnce(); })
      .catch(() => {})
      .finally(() => {
        if (submitted || source) return;
        timer = setTimeout(poll, pause);
        pause = Math.min(pause + 500, 5000);
      });
  }

  function listen() {
    source = new EventSource(address);
    source.addEventListener("go", submitOnce);
    source.onopen = () => { failures = 0; };
    source.onerror = () => {
      failures++;
      if (failures < 3 && source.readyState !== EventSource.CLOSED) return;
      source.close();
      source = undefined;
      poll();
    };
  }

  listen();
  // A phone may have suspended this tab, so that it missed the event.
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
}

// countdown shows the seconds left. Screen readers are told three times, not every
// second.
function countdown(element) {
  const total = Number(element.dataset.left);
  const bar = element.closest("main").querySelector("progress[max][aria-label]");
  const spoken = new Set([30, 10]);
  announce(text("live.sent"));
  element.textContent = text("live.left", { n: total });
  const timer = setInterval(() => {
    const left = Math.max(0, total - secondsSinceLoad());
    element.textContent = text("live.left", { n: left });
    if (bar) bar.value = left;
    if (spoken.delete(left)) announce(text("live.left", { n: left }));
    if (left > 0) return;
    clearInterval(timer);
    announce(text("live.over"));
    setTimeout(submitOnce, 1500); // the next page says what can be done
  }, 1000);
}

function countdownMinutes(element) {
  const total = Number(element.dataset.minutes);
  const timer = setInterval(() => {
    const left = Math.max(0, total - secondsSinceLoad());
    element.textContent = text("live.minutes", { n: Math.ceil(left / 60) });
    if (left === 0) { clearInterval(timer); setTimeout(submitOnce, 1500); }
  }, 1000);
}

function enableLater(button) {
  const total = Number(button.dataset.wait);
  const label = button.textContent;
  button.disabled = true;
  const tick = () => {
    const left = total - secondsSinceLoad();
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
  // Password managers save a field that is of type password when it is sent.
  form.addEventListener("submit", () => { field.type = "password"; });
}

function copy(button) {
  if (!navigator.clipboard) return;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = text("live.copied");
    announce(text("live.copied"));
    setTimeout(() => { button.textContent = label; }, 3000);
  });
}

// Times are shown in the reader's own time zone and in the reader's regional variant
// of the page's language; a time of today without the day. Digits are Latin, as
// everywhere on the pages.
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

// day is a day of the last week in words, such as "yesterday", else its date.
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
each("[data-minutes]", countdownMinutes);
each("button[data-wait]", enableLater);
each("button[data-show]", show);
each("button[data-copy]", copy);
each("time[datetime]", localise);
// Otherwise a reload would send the form again that led here, and the browser ask about it.
each("[data-reload]", (element) => { history.replaceState(null, "", element.dataset.reload); });
if (document.body.dataset.stream) waitForEvent(document.body.dataset.stream);

// A page that the browser kept for "back" shows a step that is over: reload it.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
