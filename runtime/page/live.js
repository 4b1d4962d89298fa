const cards = new Map();
let token = decodeURIComponent(location.hash.replace(/^#token=/, "")) || sessionStorage.getItem("token") || "";
if (location.hash) history.replaceState(null, "", location.pathname);
// Times with a zone, or since 1970, are shown in the zone of the device; times without one as the source writes them.
const isMoment = label => /^[\d.eE+]*$|Z$|UTC$|GMT$|[+-]\d\d:?\d\d$/.test(label.trim());
const readersZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const knows = zone => { try { return Boolean(format(0, zone, clock)); } catch { return false; } };
const deviceZone = data.zone && knows(data.zone) ? data.zone : readersZone;
const zoneOf = label => isMoment(label) ? deviceZone : "UTC";
const zoneText = label => isMoment(label) ? say("zone", { zone: deviceZone }) : say("written");
speak(data);
const FEW = 6; // sensors that are shown at once
const ANSWERS = ["real", "false", "normal"];

function card(name) {
  const box = make("section");
  const top = box.appendChild(make("div", "top"));
  top.append(make("h2", "", name), make("span", "badge"));
  const parts = { name, box, badge: top.lastChild, seen: 0, scores: [], sensors: [], charts: [], all: false, said: "" };
  parts.canvas = box.appendChild(make("canvas", "tall"));
  parts.canvas.setAttribute("role", "img");
  parts.zone = box.appendChild(make("p", "zone soft"));
  parts.counts = box.appendChild(make("dl"));
  for (const [key, title] of [["forecasts", "forecasts"], ["events", "newest_events"], ["sensorCharts", "sensors"], ["contribution", "shares"], ["sinks", "sinks"], ["limits", ""]]) {
    parts[key + "Title"] = box.appendChild(make("h3", "", title && say(title)));
    parts[key] = box.appendChild(make("div"));
  }
  parts.list = parts.events.appendChild(make("ol", "events"));
  parts.answered = parts.events.appendChild(make("p", "soft"));
  parts.answered.setAttribute("role", "status");
  parts.more = make("button", "", say("more_sensors"));
  parts.more.onclick = () => { parts.all = !parts.all; parts.more.textContent = say(parts.all ? "fewer_sensors" : "more_sensors"); if (parts.stream) drawSensors(parts, parts.stream); };
  document.getElementById("main").append(box);
  cards.set(name, parts);
  return parts;
}

function table(place, title, heads, rows) {
  title.hidden = !rows.length;
  const body = make("table");
  const head = body.appendChild(make("thead")).appendChild(make("tr"));
  for (const text of heads) head.append(make("th", "", text));
  const tail = body.appendChild(make("tbody"));
  for (const row of rows) {
    const line = tail.appendChild(make("tr"));
    row.forEach((cell, i) => {
      const box = line.appendChild(make("td"));
      box.dataset.head = heads[i];
      box.append(make("span", "", cell));
    });
  }
  place.replaceChildren(...(rows.length ? [body] : []));
}

// The places of a stream's samples: times where they are dates, a late one at the newest before it, else numbers of samples.
function placesOf(parts) {
  const rows = parts.scores;
  const dated = rows.length > 1 && rows.every(row => isDate(row[4]));
  let newest = -Infinity;
  return { dated, x: rows.map(row => dated ? newest = Math.max(newest, row[4]) : row[0]), zone: parts.timeZone };
}

function drawScores(parts, stream) {
  const { dated, x, zone } = placesOf(parts), y = parts.scores.map(row => row[2]);
  if (x.length) chart(parts.canvas, { x, y, limit: stream.threshold, marked: parts.scores.map(row => row[3]), root: true, dated, zone });
  parts.canvas.setAttribute("aria-label", say("scores", { newest: short(y[y.length - 1]), threshold: short(stream.threshold) }));
}

// Newest rows of each target and what is forecast to follow them.
function drawForecasts(parts, stream) {
  const told = stream.forecast && stream.forecast.targets ? stream.forecast : null;
  parts.forecastsTitle.hidden = !told;
  parts.canvas.hidden = stream.forecast !== null;
  if (!told) return;
  const { dated, x, zone } = placesOf(parts), place = new Map(parts.scores.map((row, i) => [row[0], x[i]]));
  const rows = parts.sensors.filter(row => place.has(row[0])), names = Object.keys(told.targets);
  while (parts.forecasts.children.length < names.length) {
    const box = parts.forecasts.appendChild(make("figure"));
    box.style.margin = "0";
    box.append(make("h3"), make("p", "soft"), make("canvas", "tall"));
    box.lastChild.setAttribute("role", "img");
  }
  names.forEach((name, i) => {
    const [head, line, canvas] = parts.forecasts.children[i].children, one = told.targets[name], steps = one.forecast;
    const channel = stream.channels.indexOf(name), unit = stream.units[channel] ? " " + stream.units[channel] : "";
    const past = rows.slice(-3 * Math.max(24, steps.length)), last = past.length && place.get(past[past.length - 1][0]);
    const ahead = steps.map((value, step) => dated ? told.first + step * told.step : last + step + 1);
    const nothing = past.map(() => null), quality = told.quality.targets[name];
    const now = plain(name, unit) + ": " + short(past.length ? past[past.length - 1][1][channel] : null) + unit, next = short(steps[0]) + unit;
    head.textContent = one.lower ? say("next_within", { now, next, lower: short(one.lower[0]), upper: short(one.upper[0]) }) : say("next", { now, next });
    const shares = Object.entries(quality.coverage).map(([level, share]) => say("covered", { level, share: Math.round(100 * share) }));
    line.textContent = quality.mae === null ? say("not_compared") :
      [say("lately_off", { error: short(quality.mae) + unit, naive: short(quality.naive_mae) + unit }), ...shares].join("; ");
    line.className = told.quality.reliable ? "soft" : "bad";
    canvas.setAttribute("aria-label", head.textContent + "; " + line.textContent);
    chart(canvas, { x: [...past.map(row => place.get(row[0])), ...ahead], y: [...past.map(row => row[1][channel]), ...steps], dated, zone,
      low: [...nothing, ...(one.lower || steps.map(() => null))], high: [...nothing, ...(one.upper || steps.map(() => null))], future: past.length });
  });
}

function drawSensors(parts, stream) {
  parts.sensorChartsTitle.hidden = !parts.sensors.length;
  parts.sensorChartsTitle.textContent = say(stream.forecast ? "sensors_alone" : "sensors");
  const { dated, x, zone } = placesOf(parts), place = new Map(parts.scores.map((row, i) => [row[0], x[i]]));
  const alarmed = new Set(stream.alarms.flatMap(alarm => alarm.channels));
  const order = stream.channels.map((name, i) => i).sort((a, b) => alarmed.has(stream.channels[b]) - alarmed.has(stream.channels[a]) || a - b);
  const shown = parts.all ? order : order.slice(0, FEW);
  while (parts.charts.length < shown.length) {
    const box = make("figure");
    box.style.margin = "0";
    parts.charts.push({ box, name: box.appendChild(make("h3")), canvas: box.appendChild(make("canvas")) });
    parts.charts[parts.charts.length - 1].canvas.setAttribute("role", "img");
  }
  const boxes = parts.charts.slice(0, shown.length).map(one => one.box);
  if (order.length > FEW) boxes.push(parts.more);
  if (boxes.some((box, i) => parts.sensorCharts.children[i] !== box) || parts.sensorCharts.children.length !== boxes.length) parts.sensorCharts.replaceChildren(...boxes);
  const rows = parts.sensors.filter(row => place.has(row[0]));
  shown.forEach((channel, i) => {
    const one = parts.charts[i], name = stream.channels[channel], unit = stream.units[channel] || "", within = stream.within[channel];
    const y = rows.map(row => row[1][channel]), expected = rows.map(row => row[2].length ? row[2][channel] : null);
    const newest = y[y.length - 1], usual = expected[expected.length - 1];
    const reading = plain(name, unit) + ": " + short(newest) + (unit ? " " + unit : "");
    one.name.textContent = known(usual) ? say("with_expected", { reading, expected: short(usual), within: short(within) }) : reading;
    one.name.className = alarmed.has(name) ? "bad" : "";
    one.canvas.setAttribute("aria-label", one.name.textContent);
    if (rows.length) chart(one.canvas, { x: rows.map(row => place.get(row[0])), y, dated, zone,
      low: expected.map(value => known(value) ? value - within : null), high: expected.map(value => known(value) ? value + within : null) });
  });
}

async function answer(parts, event, word) {
  const headers = { "Content-Type": "application/json", ...(token ? { Authorization: "Bearer " + token } : {}) };
  try {
    const done = await fetch("api/answer", { method: "POST", headers, body: JSON.stringify({ stream: parts.name, event, answer: word }) });
    if (!done.ok) throw new Error(done.status === 401 ? say("token_needed") : await done.text());
    parts.answered.textContent = say("stored");
  } catch (error) {
    parts.answered.textContent = say("not_stored", { reason: error.message === "Failed to fetch" ? say("offline") : error.message });
  }
  parts.said = "";
}

function showEvents(parts, stream) {
  parts.eventsTitle.hidden = !stream.events.length;
  const state = JSON.stringify([stream.events, stream.answers]);
  if (state === parts.said) return; // buttons keep the focus
  parts.said = state;
  parts.list.replaceChildren(...stream.events.slice(0, 12).map(one => {
    const line = make("li");
    line.append(make("div", one.state === "open" && one.kind === "anomaly" ? "bad" : "", one.text || one.kind));
    const begin = when(one.start, parts.timeZone), reason = one.reason && " (" + (words["reason_" + one.reason] || one.reason) + ")";
    line.append(make("div", "soft", [say(one.kind) + reason, say(one.state), known(one.peak) && say("peak", { peak: short(one.peak) }),
      one.end === null ? say("from", { begin }) : say("from_to", { begin, end: when(one.end, parts.timeZone) })].filter(Boolean).join(", ")));
    if (one.kind === "anomaly") {
      const box = line.appendChild(make("div", "answers"));
      for (const word of ANSWERS) {
        const button = box.appendChild(make("button", "", say(word)));
        button.setAttribute("aria-pressed", String(stream.answers[one.id] === word));
        button.onclick = () => answer(parts, one.id, word);
      }
    }
    return line;
  }));
}

function show(stream) {
  const parts = cards.get(stream.name) || card(stream.name);
  parts.stream = stream;
  if (stream.samples < parts.seen) { parts.seen = 0; parts.scores = []; parts.sensors = []; }
  for (const row of stream.sensors) if (row[0] > parts.seen) parts.sensors.push(row);
  for (const row of stream.scores) if (row[0] > parts.seen) { parts.scores.push(row); parts.seen = row[0]; }
  parts.scores = parts.scores.slice(-600);
  parts.sensors = parts.sensors.slice(-600);
  const newestRow = parts.scores[parts.scores.length - 1];
  const label = (newestRow && newestRow[1]) || "";
  parts.timeZone = zoneOf(label);
  const dates = newestRow && isDate(newestRow[4]);
  parts.zone.textContent = dates ? say("range", { begin: when(parts.scores[0][4], parts.timeZone).slice(0, 10), end: when(newestRow[4], parts.timeZone) }) + ", " + zoneText(label) : "";
  const alarm = ["anomaly", "sensor_fault", "drift", "forecast", "overflow"].find(kind => stream.alarms.some(one => one.kind === kind));
  const state = stream.state !== "running" ? stream.state : stream.samples ? "quiet_now" : "waiting_for";
  parts.badge.textContent = stream.error || say(alarm === "forecast" ? "unreliable" : alarm || state);
  parts.badge.className = "badge " + (alarm === "anomaly" || stream.state === "failed" ? "bad" : alarm ? "warn" : stream.samples ? "good" : "soft");
  const score = newestRow ? newestRow[2] : null;
  const age = stream.age === null ? "–" : stream.age < 1 ? say("now") : say("ago", { seconds: Math.round(stream.age) });
  const counted = stream.forecast ? [["samples", stream.samples], ["forecast_count", stream.scored]] :
    [["score_now", short(score)], ["threshold_now", short(stream.threshold)], ["samples", stream.samples], ["scored", stream.scored], ["above", stream.anomalies]];
  const facts = [...counted, ["last_sample", age]].map(([name, value]) => [say(name), value]);
  if (stream.statuses.warmup) facts.push([say("warmup"), stream.statuses.warmup]);
  for (const [why, count] of Object.entries(stream.troubles)) facts.push([say("input", { trouble: words["trouble_" + why] || why }), count]);
  parts.counts.replaceChildren(...facts.map(([name, value]) => {
    const pair = make("div");
    pair.append(make("dt", "", name), make("dd", "", value));
    return pair;
  }));
  const order = (stream.contribution || []).map((part, i) => [part, i]).sort((a, b) => b[0] - a[0]).slice(0, 12);
  parts.contributionTitle.hidden = !order.length;
  parts.contribution.replaceChildren(...order.map(([part, i]) => {
    const line = make("div", "bar"), track = make("div", "track");
    track.appendChild(make("div", "fill")).style.width = 100 * part + "%";
    line.append(make("span", "", plain(stream.channels[i], stream.units[i])), track, make("span", "", Math.round(100 * part) + " %"));
    return line;
  }));
  showEvents(parts, stream);
  table(parts.sinks, parts.sinksTitle, ["sink", "delivered", "waiting", "dropped", "failure"].map(name => say(name)),
    stream.sinks.map(sink => [sink.name, sink.delivered, sink.waiting + " B", sink.dropped, sink.failure || say("no_failure")]));
  const limits = stream.limits || { title: "", heads: [], rows: [] };
  parts.limitsTitle.textContent = say("catches", { limits: limits.title });
  table(parts.limits, parts.limitsTitle, limits.heads, limits.rows);
  drawForecasts(parts, stream);
  if (!stream.forecast) drawScores(parts, stream);
  drawSensors(parts, stream);
}

async function poll() {
  const link = document.getElementById("link");
  let pause = document.hidden ? 5000 : 1000;
  try {
    const since = new URLSearchParams();
    for (const [name, parts] of cards) since.set(name, parts.seen);
    const answer = await fetch("api/live?" + since, { headers: token ? { Authorization: "Bearer " + token } : {} });
    const refused = answer.status === 401 || answer.status === 429;
    document.getElementById("ask").hidden = !refused;
    if (answer.status === 401) token = "";
    if (answer.status === 429) pause = 1000 * Number(answer.headers.get("Retry-After") || 60);
    if (!answer.ok) throw new Error(say({ 401: "token_needed", 429: "wrong_tokens" }[answer.status] || "failed_request", { code: answer.status }));
    (await answer.json()).streams.forEach(show);
    link.textContent = say("live");
    link.className = "good";
  } catch (error) {
    link.textContent = error.message === "Failed to fetch" ? say("offline") : error.message;
    link.className = "bad";
  }
  setTimeout(poll, pause);
}
document.getElementById("token").addEventListener("change", event => {
  token = event.target.value.trim();
  sessionStorage.setItem("token", token);
});
poll();
