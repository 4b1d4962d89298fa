const make = (tag, name, text) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};
let words = {}, decimal = "."; // texts by place, and the decimal mark, of the page's language
// A text of the page's language with its {places} filled.
const say = (name, places = {}) => (words[name] || name.replace("_", " ")).replace(/\{(\w+)\}/g, (_, key) => places[key]);
const speak = data => {
  ({ words, decimal } = data);
  document.documentElement.lang = data.language;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = say(node.dataset.word);
};
const short = value => value === null || value === undefined || Number.isNaN(value) ? "–" :
  (Math.abs(value) >= 1000 ? (Math.abs(value) < 1e6 ? value.toFixed(0) : value.toExponential(2)) : String(Number(Number(value).toPrecision(3)))).replace(".", decimal);
const isDate = time => typeof time === "number" && time >= 1e8 && time < 1e11;
const formats = new Map();
const format = (time, zone, shape) => {
  const key = zone + JSON.stringify(shape);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("sv-SE", { timeZone: zone, hourCycle: "h23", ...shape }));
  return formats.get(key).format(new Date(time * 1000));
};
const day = { year: "numeric", month: "2-digit", day: "2-digit" }, clock = { hour: "2-digit", minute: "2-digit" };
const when = (time, zone) => {
  if (time === null || time === undefined) return "–";
  return isDate(time) ? format(time, zone, { ...day, ...clock, second: "2-digit" }) : String(Math.round(time * 1000) / 1000);
};
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000];
// Moments on the full minute, hour or day of a zone, at most some.
function ticks(begin, end, zone, most) {
  const step = steps.find(one => (end - begin) / one <= most) || (end - begin) / most;
  const [date, time] = format(begin, zone, { ...day, ...clock, second: "2-digit" }).split(" ");
  const shift = Date.parse(date + "T" + time + "Z") / 1000 - Math.floor(begin);
  const moments = [];
  for (let at = Math.ceil((begin + shift) / step) * step - shift; at <= end; at += step) moments.push(at);
  const shape = step >= 86400 ? { month: "2-digit", day: "2-digit" } : step < 60 ? { ...clock, second: "2-digit" } : clock;
  return moments.map(at => [at, format(at, zone, shape)]);
}
// Round numbers between two, at most some.
function roundNumbers(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(one => one * power >= rough) * power;
  const numbers = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) numbers.push(Number(at.toPrecision(10)));
  return numbers;
}
const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const LEFT = 46, RIGHT = 4, FOOT = 16;

/* One line over places, with a band of usual values, a limit, marked points and shaded spans.
   view: x (rising), y (null or NaN where there is none), low and high (band), limit, marked, spans [[from, to, color]],
   from and to (part of x that is shown), dated and zone (axis), root (square-root scale from 0), axis (false hides the places), future (number of points that were measured; the others are forecast). */
function chart(canvas, view) {
  const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  const foot = view.axis === false ? 4 : FOOT, floor = height - foot;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "11px system-ui, sans-serif";
  const { x, y } = view, from = view.from ?? x[0], to = view.to ?? x[x.length - 1];
  const first = Math.max(0, lowerBound(x, from) - 1), last = Math.min(x.length, lowerBound(x, to) + 2);
  const place = at => LEFT + (width - LEFT - RIGHT) * (to > from ? (at - from) / (to - from) : 0.5);
  const [bottom, top] = extent(view, first, last);
  const part = value => (value - bottom) / (top - bottom);
  const level = value => floor - (floor - 6) * (view.root ? Math.sqrt(Math.max(0, part(value))) : part(value));
  pen.save();
  pen.beginPath(); pen.rect(LEFT, 0, width - LEFT, height); pen.clip();
  for (const [start, end, name] of view.spans || []) {
    if (end < from || start > to) continue;
    pen.fillStyle = color(name);
    pen.fillRect(place(start), 0, Math.max(2, place(end) - place(start)), floor);
  }
  pen.restore();
  pen.lineWidth = 1;
  for (const value of view.root ? [0, top / 4.6, top / 1.15] : roundNumbers(bottom, top, height > 120 ? 5 : 3)) {
    pen.strokeStyle = color("--line");
    pen.beginPath(); pen.moveTo(LEFT, level(value)); pen.lineTo(width, level(value)); pen.stroke();
    pen.fillStyle = color("--soft");
    // round numbers as they are: 1012.5 and 1013 are not the same
    pen.fillText(view.root || Math.abs(value) >= 1e6 ? short(value) : String(value).replace(".", decimal), 2, Math.min(floor, Math.max(9, level(value) + 4)));
  }
  if (view.axis !== false) axis(pen, view, from, to, place, floor, height, width);
  pen.save();
  pen.beginPath(); pen.rect(LEFT, 0, width - LEFT, height); pen.clip();
  if (view.low) band(pen, view, first, last, place, level);
  if (view.limit !== null && view.limit !== undefined) {
    pen.strokeStyle = color("--limit"); pen.setLineDash([6, 4]);
    pen.beginPath(); pen.moveTo(LEFT, level(view.limit)); pen.lineTo(width, level(view.limit)); pen.stroke();
    pen.setLineDash([]);
  }
  line(pen, view, first, last, place, level, width);
  if (view.future) { // a mark between what was measured and what is forecast
    const now = place(x[Math.max(0, view.future - 1)]);
    pen.strokeStyle = color("--limit"); pen.setLineDash([2, 3]);
    pen.beginPath(); pen.moveTo(now, 0); pen.lineTo(now, floor); pen.stroke();
    pen.setLineDash([]);
  }
  pen.fillStyle = color("--bad");
  if (view.marked) for (let i = first; i < last; i++) if (view.marked[i]) pen.fillRect(place(x[i]) - 1, level(y[i]) - 1, 3, 3);
  pen.restore();
}
// A channel's name without the unit at its end, where that stands beside the value.
const plain = (name, unit) => unit && name.replace(/\s*(\[[^\]]*\]|\([^)]*\))\s*$/, "") || name;
const known = value => value !== null && value !== undefined && !Number.isNaN(value);
function lowerBound(x, value) {
  let low = 0, high = x.length;
  while (low < high) { const middle = (low + high) >> 1; if (x[middle] < value) low = middle + 1; else high = middle; }
  return low;
}
// Lowest and highest value to show; a band counts, but only three times its width beyond the values.
function extent(view, first, last) {
  if (view.root) {
    let top = Math.max(view.limit || 0, 1e-9);
    for (let i = first; i < last; i++) if (known(view.y[i]) && view.y[i] > top) top = view.y[i];
    return [0, 1.15 * top];
  }
  let low = Infinity, high = -Infinity;
  const take = value => { if (known(value)) { if (value < low) low = value; if (value > high) high = value; } };
  for (let i = first; i < last; i++) { take(view.y[i]); if (view.low) { take(view.low[i]); take(view.high[i]); } }
  if (low > high) return [0, 1];
  const margin = 0.06 * (high - low) || Math.abs(high) * 0.05 || 1;
  return [low - margin, high + margin];
}
function axis(pen, view, from, to, place, floor, height, width) {
  const most = Math.max(2, Math.floor((width - LEFT) / 90));
  const moments = view.dated ? ticks(from, to, view.zone, most) : to > from ? roundNumbers(from, to, most).map(at => [at, String(at)]) : [];
  for (const [at, text] of moments) {
    const middle = place(at), half = pen.measureText(text).width / 2;
    pen.strokeStyle = color("--line");
    pen.beginPath(); pen.moveTo(middle, floor); pen.lineTo(middle, floor + 4); pen.stroke();
    pen.fillStyle = color("--soft");
    pen.fillText(text, Math.min(width - 2 * half, Math.max(LEFT, middle - half)), height - 2);
  }
}
// Where several rows fall on one pixel, a vertical stroke from the lowest to the highest of them.
function line(pen, view, first, last, place, level, width) {
  const { x, y } = view;
  pen.strokeStyle = color("--score"); pen.lineWidth = 1.5; pen.lineJoin = "round";
  pen.beginPath();
  let drawing = false, column = -1, low = 0, high = 0, end = 0;
  const finish = () => { if (high > low) { pen.moveTo(column, low); pen.lineTo(column, high); pen.moveTo(column, end); } };
  for (let i = first; i < last; i++) {
    if (!known(y[i])) { finish(); low = high = 0; drawing = false; column = -1; continue; }
    const at = last - first > 2 * width ? Math.round(place(x[i])) : place(x[i]), up = level(y[i]);
    if (drawing && at === column) { low = Math.min(low, up); high = Math.max(high, up); end = up; continue; }
    finish();
    if (drawing) pen.lineTo(at, up); else { pen.moveTo(at, up); if (!known(y[i + 1])) pen.lineTo(at + 1, up); }
    column = at; low = high = end = up; drawing = true;
  }
  finish();
  pen.stroke();
}
function band(pen, view, first, last, place, level) {
  pen.fillStyle = color("--band");
  let begin = -1;
  const fill = end => {
    if (begin < 0) return;
    pen.beginPath();
    for (let i = begin; i < end; i++) pen.lineTo(place(view.x[i]), level(view.high[i]));
    for (let i = end - 1; i >= begin; i--) pen.lineTo(place(view.x[i]), level(view.low[i]));
    pen.fill();
    begin = -1;
  };
  for (let i = first; i < last; i++) {
    if (!known(view.low[i])) fill(i); else if (begin < 0) begin = i;
  }
  fill(last);
}
