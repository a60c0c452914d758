// SPDX-License-Identifier: MIT
// The timeline: PEs by thread over time. A view is a stretch of time and what is let through; the page's address holds it.
"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("timeline-json");
  const stage = document.getElementById("stage");
  const form = document.querySelector(".controls");
  const GAP = 18, AXIS = 22, NARROWEST = 3, PHASES_FROM = 14;
  // The kernel's work comes first: it is what the PE before has asked for.
  const ORDER = ["other", "first_run", "treatment", "restart", "flush", "second_run", "third_run", "verify_commit"];
  const PHASE = ORDER.map((name) => data.phases.indexOf(name));
  const grouped = (number) => Math.round(number).toLocaleString("en-US");
  const sum = (list) => list.reduce((all, one) => all + one, 0);

  // All that can be drawn, in the order of time: single PEs, and bins where PEs are not there one by one.
  const singles = data.singles.map(([pe, lane, start, ended, rip, instructions, frames, phases]) =>
    ({ pe, last: pe, n: 1, lane, start, end: start + sum(phases), ended, rip, instructions, frames, phases }));
  const bins = data.bins.flatMap(([pe, n, start, end, parts]) =>
    parts.map(([lane, count, phases]) => ({ pe, last: pe + n - 1, n: count, lane, start, end, phases })));
  const lanesOf = (all) => [...new Set(all.map((item) => item.lane))].sort((a, b) => a - b);
  const items = [...singles, ...bins].sort((a, b) => a.start - b.start || a.lane - b.lane);
  const marks = data.marks.map(([pe, lane, start, end, divergences, third, flips, misses]) =>
    ({ pe, lane, start, end, divergences, third, flips, misses }));
  const marked = new Set(marks.map((mark) => mark.pe));
  const laneName = (lane) => lane === data.shared_lane ? "other threads" : data.names[lane];

  const view = { from: 0, to: data.end, thread: "", ended: "", marked: false, chosen: null };

  const place = (pe) => {
    // The item that has a PE, or the nearest one behind it.
    const found = items.find((item) => item.pe <= pe && pe <= item.last);
    return found || items.find((item) => item.pe > pe) || items[items.length - 1];
  };
  const option = (select, value, text) => select.add(new Option(text, value));

  function setUp() {
    option(form.thread, "", "all");
    lanesOf(items).forEach((lane) => option(form.thread, data.lanes[lane], laneName(lane)));
    option(form.ended, "", "anything");
    const kinds = [...new Set(singles.map((item) => item.ended))].sort((a, b) => a - b);
    kinds.forEach((kind) => option(form.ended, data.delimiters[kind].replace(" ", "_"), data.delimiters[kind]));
  }

  // The page's address says what is shown: #from=PE&to=PE&thread=1.2&ended=page_fault&marked
  function follow() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const pe = (key) => /^\d+$/.test(asked.get(key) || "") ? Number(asked.get(key)) : null;
    const known = (select, value) => [...select.options].some((one) => one.value === value) ? value : "";
    const [from, to] = [pe("from"), pe("to")];
    view.from = from === null ? 0 : place(from).start;
    view.to = to === null ? data.end : place(to).end;
    if (view.to <= view.from) view.to = data.end;
    view.thread = known(form.thread, asked.get("thread"));
    view.ended = known(form.ended, asked.get("ended"));
    view.marked = asked.has("marked");
    view.chosen = from !== null && from === to ? place(from) : null;
    form.thread.value = view.thread;
    form.ended.value = view.ended;
    form.marked.checked = view.marked;
    draw();
  }

  function remember() {
    const seen = items.filter((item) => item.end > view.from && item.start < view.to);
    const parts = [];
    if (seen.length && (view.from > 0 || view.to < data.end)) {
      parts.push(`from=${seen[0].pe}`, `to=${Math.max(...[seen[0], seen[seen.length - 1]].map((item) => item.last))}`);
    }
    if (view.thread) parts.push(`thread=${view.thread}`);
    if (view.ended) parts.push(`ended=${view.ended}`);
    if (view.marked) parts.push("marked");
    // A file's address can be replaced in all browsers but some: the picture is right all the same.
    try { history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname); } catch { /* stays */ }
  }

  function show(from, to) {
    const length = Math.max(Math.min(to - from, data.end), Math.min(20, data.end));
    view.from = Math.max(0, Math.min(from, data.end - length));
    view.to = view.from + length;
    remember();
    draw();
  }

  const passes = (item) => (!view.thread || data.lanes[item.lane] === view.thread)
    && (!view.ended || item.ended !== undefined && data.delimiters[item.ended].replace(" ", "_") === view.ended)
    && (!view.marked || item.n === 1 && marked.has(item.pe) || item.n > 1 && marks.some((mark) => item.pe <= mark.pe && mark.pe <= item.last && mark.lane === item.lane));

  // Neighbours of a lane become one until they are wide enough to be seen.
  function merged(lane, scale) {
    const groups = [];
    for (const item of lane) {
      const before = groups[groups.length - 1];
      if (before && (item.end - before.start) * scale < NARROWEST) {
        before.phases = before.phases.map((ticks, at) => ticks + item.phases[at]);
        before.n += item.n;
        before.end = Math.max(before.end, item.end);
        before.last = Math.max(before.last, item.last);
        before.only = null;
      } else {
        groups.push({ ...item, only: item });
      }
    }
    return groups;
  }

  const SVG = "http://www.w3.org/2000/svg";
  function element(parent, name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    return parent.appendChild(made);
  }
  const round = (number) => Math.round(number * 10) / 10;
  const box = (x, y, width, height) => `M${round(x)} ${round(y)}h${round(Math.max(width, 0.4))}v${round(height)}h${-round(Math.max(width, 0.4))}z`;

  function drawItem(paths, group, x, width, y) {
    const whole = sum(group.phases);
    if (group.only && group.n === 1 && width >= PHASES_FROM) {
      let at = x;
      for (const phase of PHASE) {
        const length = whole ? width * group.phases[phase] / whole : 0;
        const low = ORDER[PHASE.indexOf(phase)] === "other" ? LANE / 2 : 0;
        if (length > 0) paths[phase] += box(at, y + low, length, LANE - low);
        at += length;
      }
      return;
    }
    // What share of the stretch the lane's thread had is the height.
    const height = LANE * Math.min(1, group.end > group.start ? whole / (group.end - group.start) : 1);
    let top = y + LANE;
    for (const phase of PHASE) {
      const part = whole ? height * group.phases[phase] / whole : 0;
      top -= part;
      if (part > 0) paths[phase] += box(x, top, Math.max(width - (width > 6 ? 1 : 0), 1), part);
    }
  }

  function ticks(svg, width, height, scale) {
    const rough = (view.to - view.from) / Math.max(2, width / 130);
    const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) || power;
    for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
      const x = (at - view.from) * scale;
      element(svg, "line", { class: "tick", x1: x, x2: x, y1: 0, y2: height - AXIS });
      const anchor = x < 40 ? "start" : x > width - 60 ? "end" : "middle";
      element(svg, "text", { x, y: height - 6, "text-anchor": anchor }, grouped(at));
    }
  }

  function drawMarks(svg, rows, scale) {
    let drawn = 0;
    for (const mark of marks) {
      const row = rows.get(mark.lane);
      if (row === undefined || mark.end < view.from || mark.start > view.to) continue;
      const x = (mark.end - view.from) * scale;
      const kind = mark.divergences || mark.flips ? "mark" : "mark miss";
      const shape = element(svg, "path", { class: kind, d: `M${round(x)} ${row + 1}l-6 -11h12z` });
      element(shape, "title", {}, `PE ${mark.pe}: ${told(mark)}`);
      drawn += 1;
    }
    return drawn;
  }

  const times = (count, what) => count ? [count === 1 ? `a ${what}` : `${count} ${what}s`] : [];
  const told = (mark) => [...times(mark.divergences, "divergence"), ...(mark.divergences && !data.has_third_runs
    ? [mark.third ? "a third run decided" : "started over"] : []), ...times(mark.flips, "flip"),
    ...times(mark.misses, "counter miss").map((text) => text.replace("misss", "misses"))].join(", ");

  let drawn = [], lanes = [];
  let LANE = 30;
  function draw() {
    const width = Math.max(240, stage.clientWidth);
    const scale = width / Math.max(1, view.to - view.from);
    const seen = items.filter((item) => item.end > view.from && item.start < view.to && passes(item));
    // Threads that did not run in this stretch have no lane, unless nobody did.
    lanes = lanesOf(seen.length ? seen : items);
    LANE = lanes.length < 4 ? 64 : lanes.length < 10 ? 36 : 22;
    const height = lanes.length * (LANE + GAP) + AXIS;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    ticks(svg, width, height, scale);
    const rows = new Map(lanes.map((lane, at) => [lane, at * (LANE + GAP) + GAP]));
    drawn = [];
    for (const [lane, y] of rows) {
      element(svg, "text", { x: 0, y: y - 5 }, laneName(lane));
      element(svg, "rect", { class: "lane", x: 0, y, width, height: LANE });
      const paths = data.phases.map(() => "");
      for (const group of merged(seen.filter((item) => item.lane === lane), scale)) {
        const from = Math.max(0, (group.start - view.from) * scale);
        const to = Math.min(width, (group.end - view.from) * scale);
        // What is cut by the edge is drawn whole, and the edge cuts it.
        const inside = (group.start - view.from) * scale;
        drawItem(paths, group, inside, (group.end - group.start) * scale, y);
        drawn.push({ group, lane, from, to });
      }
      paths.forEach((d, phase) => { if (d) element(svg, "path", { d, style: `fill: var(--${data.phases[phase]})` }); });
    }
    const markCount = drawMarks(svg, rows, scale);
    if (data.is_bad && view.to >= data.end) {
      const x = (data.end - view.from) * scale - 2;
      const line = element(svg, "path", { class: "verdict", d: `M${round(x)} 0v${height - AXIS}h2v${AXIS - height}z` });
      element(line, "title", {}, data.verdict);
    }
    if (view.chosen && rows.has(view.chosen.lane)) {
      const x = (view.chosen.start - view.from) * scale, y = rows.get(view.chosen.lane);
      element(svg, "rect", { class: "chosen", x, y: y - 1, width: Math.max(3, (view.chosen.end - view.chosen.start) * scale), height: LANE + 2 });
    }
    stage.replaceChildren(svg);
    tell(seen, markCount);
    detail(view.chosen);
  }

  function tell(seen, markCount) {
    const one = seen.filter((item) => item.ended !== undefined).length;
    const binned = sum(seen.filter((item) => item.ended === undefined).map((item) => item.n));
    const range = seen.length ? `PE ${grouped(seen[0].pe)} to ${grouped(Math.max(...[seen[0], seen[seen.length - 1]].map((item) => item.last)))}` : "no PE";
    const text = [`${range} of ${grouped(data.pes)}: ${grouped(one + binned)} PEs on ${lanes.length === 1 ? "one thread" : `${lanes.length} threads`}`];
    if (binned) text.push(`${grouped(binned)} of them in bins of ${grouped(data.bin_size)} at most${view.ended ? "" : " (report --from PE shows others one by one)"}`);
    if (view.ended && bins.length) text.push("what ended them is known of single PEs only");
    if (markCount) text.push(`${markCount} marked`);
    if (data.unmarked) text.push(`marks after the first ${grouped(data.most_marks)} are not there (${grouped(data.unmarked)})`);
    if (data.verdict) text.push(`the run ended so: ${data.verdict}`);
    const status = document.getElementById("status");
    status.textContent = `${text.join("; ")}. ${grouped(view.to - view.from)} ${data.unit} are shown.`;
    Object.assign(status.dataset, {
      first: seen.length ? seen[0].pe : "", single: one, binned, lanes: lanes.length, marks: markCount,
      shapes: stage.querySelectorAll("path").length, groups: drawn.length,
    });
  }

  function detail(item) {
    const panel = document.getElementById("detail");
    panel.replaceChildren();
    if (!item) return;
    const add = (name, value) => {
      const span = panel.appendChild(document.createElement("span"));
      span.appendChild(document.createElement("b")).textContent = value;
      span.append(name);
    };
    const name = item.n === 1 && item.ended !== undefined ? `PE ${item.pe}` : `PEs ${item.pe} to ${item.last}`;
    add(`${laneName(item.lane)}${item.n > 1 ? `, ${grouped(item.n)} PEs` : ""}`, name);
    if (item.ended !== undefined && item.n === 1) {
      add("ended it", data.delimiters[item.ended]);
      add("", `0x${item.rip.toString(16)}`);
      add("instructions", grouped(item.instructions));
      add("pages written", grouped(item.frames));
    }
    ORDER.forEach((phase) => {
      const ticks = item.phases[data.phases.indexOf(phase)];
      if (ticks) add(phase.replaceAll("_", " "), grouped(ticks));
    });
    const mark = item.n === 1 && marks.find((one) => one.pe === item.pe);
    if (mark) add("", told(mark));
  }

  function under(event) {
    const bounds = stage.getBoundingClientRect();
    const x = event.clientX - bounds.left, y = event.clientY - bounds.top;
    const lane = lanes[Math.floor(y / (LANE + GAP))];
    const found = drawn.find((one) => one.lane === lane && one.from <= x && x <= Math.max(one.to, one.from + NARROWEST));
    return found ? found.group.only || found.group : null;
  }

  function act(what) {
    const middle = (view.from + view.to) / 2, half = (view.to - view.from) / 2;
    if (what === "in") show(middle - half / 2, middle + half / 2);
    if (what === "out") show(middle - half * 2, middle + half * 2);
    if (what === "left") show(view.from - half / 2, view.to - half / 2);
    if (what === "right") show(view.from + half / 2, view.to + half / 2);
    if (what === "all") show(0, data.end);
  }

  let held = null;
  const timeAt = (event) => view.from + (event.clientX - stage.getBoundingClientRect().left) / stage.clientWidth * (view.to - view.from);
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) held = { x: event.clientX, at: timeAt(event) };
  });
  stage.addEventListener("pointermove", (event) => {
    const svg = stage.querySelector("svg");
    svg.querySelector(".band")?.remove();
    if (held && event.buttons) {
      const left = stage.getBoundingClientRect().left;
      const [a, b] = [held.x - left, event.clientX - left].sort((one, two) => one - two);
      element(svg, "rect", { class: "band", x: a, y: 0, width: b - a, height: svg.getAttribute("height") - AXIS });
    } else if (!view.chosen) {
      detail(under(event));
    }
  });
  stage.addEventListener("pointerup", (event) => {
    const from = held;
    held = null;
    if (from && Math.abs(event.clientX - from.x) > 5) {
      const [a, b] = [from.at, timeAt(event)].sort((one, two) => one - two);
      show(a, b);
    } else {
      view.chosen = under(event);
      draw();
    }
  });
  stage.addEventListener("dblclick", () => act("out"));
  stage.addEventListener("keydown", (event) => {
    const what = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all" }[event.key];
    if (what) { act(what); event.preventDefault(); }
  });
  form.addEventListener("click", (event) => { if (event.target.dataset.act) act(event.target.dataset.act); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    [view.thread, view.ended, view.marked] = [form.thread.value, form.ended.value, form.marked.checked];
    if (/^\d+$/.test(form.pe.value.trim())) {
      view.chosen = place(Number(form.pe.value));
      const width = (view.chosen.end - view.chosen.start) || 1;
      form.pe.value = "";
      show(view.chosen.start - 5 * width, view.chosen.end + 5 * width);
    } else {
      remember();
      draw();
    }
  });
  document.getElementById("download").addEventListener("click", (event) => {
    const text = document.getElementById("report-json").textContent;
    event.target.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  });
  addEventListener("hashchange", () => { follow(); document.getElementById("timeline").scrollIntoView(); });
  addEventListener("resize", draw);
  if (items.length) { setUp(); follow(); if (location.hash) document.getElementById("timeline").scrollIntoView(); } else { document.getElementById("status").textContent = "There is no PE in this trace."; }
})();
