const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
const x = new Float64Array(bytes(data.times)), scores = new Float32Array(bytes(data.scores));
const zone = data.zone || undefined, first = x[0], last = x[x.length - 1];
let from = first, to = last;
const spans = [...data.labels.map(([a, b]) => [a, b, "--label"]), ...data.events.filter(one => one.kind === "anomaly").map(one => [one.start, one.end, "--fault"])];
const at = id => document.getElementById(id);
speak(data);
for (const id of ["tools", "back", "on"]) at(id).setAttribute("aria-label", say(id));
const sensors = data.channels.map(channel => {
  const y = new Float32Array(bytes(channel.values)), expected = new Float32Array(bytes(channel.expected));
  const box = at("sensors").appendChild(make("figure"));
  box.style.margin = "0";
  box.append(make("h3", "", channel.name + (channel.unit ? ", " + channel.unit : "")));
  const canvas = box.appendChild(make("canvas"));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", say("sensor", { name: channel.name }));
  return { canvas, y, low: expected.map(value => value - channel.within), high: expected.map(value => value + channel.within) };
});
at("title").textContent = data.title;
document.title = data.title;
at("facts").textContent = say(data.shown < data.rows ? "shown" : "rows", data);
const count = data.events.length + data.hidden;
at("list-title").textContent = say(!count ? "none" : data.hidden ? "some" : count === 1 ? "one" : "events", { count, shown: data.events.length });
at("none").hidden = data.events.length > 0;
at("score-title").textContent = say("score") + (data.threshold === null ? "" : ", " + say("threshold", { threshold: short(data.threshold) })) + "; " + say(data.labels.length ? "labels" : "shaded");
at("score").setAttribute("aria-label", say("keys"));
at("zone").textContent = !data.dated ? "" : data.onSite ? say("written") : say("zone", { zone: zone || Intl.DateTimeFormat().resolvedOptions().timeZone });
for (const one of data.events) {
  const button = make("button");
  button.append(make("div", one.kind === "anomaly" ? "bad" : "warn", one.text));
  button.append(make("div", "soft", [say(one.kind), one.verdict && say(one.verdict), one.peak === null ? "" : say("peak", { peak: short(one.peak) })].filter(Boolean).join(", ")));
  button.onclick = () => {
    const wide = Math.max(2 * (one.end - one.start), (last - first) / 200);
    show(one.start - wide, one.end + wide);
    at("score").scrollIntoView({ block: "nearest" });
  };
  at("list").appendChild(make("li")).append(button);
}
let waiting = false;
function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const shared = { x, from, to, dated: data.dated, zone, spans };
    chart(at("score"), { ...shared, y: scores, limit: data.threshold, root: true });
    sensors.forEach(one => chart(one.canvas, { ...shared, y: one.y, low: one.low, high: one.high }));
    at("range").textContent = say("range", { begin: when(from, zone), end: when(to, zone) });
  });
}
function show(begin, end) {
  const span = Math.min(Math.max(end - begin, (last - first) / Math.max(1, x.length) * 10), last - first);
  from = Math.min(Math.max(first, (begin + end - span) / 2), last - span);
  to = from + span;
  draw();
}
const zoom = (factor, middle = (from + to) / 2) => show(middle - (middle - from) * factor, middle + (to - middle) * factor);
const move = part => show(from + part * (to - from), to + part * (to - from));
at("all").onclick = () => show(first, last);
at("in").onclick = () => zoom(0.5);
at("out").onclick = () => zoom(2);
at("back").onclick = () => move(-0.5);
at("on").onclick = () => move(0.5);
for (const canvas of [at("score"), ...sensors.map(one => one.canvas)]) {
  const timeAt = event => from + (to - from) * Math.min(1, Math.max(0, (event.offsetX - LEFT) / (canvas.clientWidth - LEFT - RIGHT)));
  canvas.addEventListener("wheel", event => { if (!event.ctrlKey && !event.shiftKey) return; event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event)); }, { passive: false });
  canvas.addEventListener("dblclick", event => zoom(0.4, timeAt(event)));
  let grip = null;
  canvas.addEventListener("pointerdown", event => { grip = { x: event.clientX, from, to }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", event => { if (grip) { const part = (grip.x - event.clientX) / (canvas.clientWidth - LEFT); show(grip.from + part * (grip.to - grip.from), grip.to + part * (grip.to - grip.from)); } });
  canvas.addEventListener("pointerup", () => { grip = null; });
}
at("score").addEventListener("keydown", event => {
  const act = { ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25), "+": () => zoom(0.5), "-": () => zoom(2), Home: () => show(first, last) }[event.key];
  if (act) { event.preventDefault(); act(); }
});
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
if (x.length) draw();
