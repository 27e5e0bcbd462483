/* The list of cases: filters, search, order, one case open, all of it in the address. Texts are only ever text nodes. */
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = id => document.getElementById(id);
  const list = $("list"), panel = $("case"), split = $("split"), paper = $("paper");
  const STATES = ["right", "wrong", "handed on", "failed"], FLIPS = ["fixed", "broken", "both wrong", "both right"];
  const MARKS = { right: "✓", wrong: "✗", "handed on": "–", failed: "!", fixed: "+", broken: "−", "both wrong": "✗", "both right": "✓" };
  const SIDE = ["state", "answer", "score", "confidence", "by", "seconds", "usd", "reason", "error", "fitted", "fields", "samples"];
  const FOLD = 1500, PRINTED = 300, MENU = 250;
  const two = data.names.length > 1, last = data.names.length - 1;

  const cases = data.cases.map(([source, inputs, expected, ...sides], at) => {
    const made = sides.map(side => Object.fromEntries(SIDE.map((name, i) => [name, side[i]])));
    const flip = two && FLIPS[{ "10": 0, "01": 1, "11": 2, "00": 3 }[made.map(s => +(s.state > 0)).join("")]];
    return { at, source, inputs, expected, sides: made, word: flip || STATES[made[0].state] };
  });

  const FRESH = { show: "all", q: "", side: String(last), state: "", by: "", expected: "", answer: "", field: "", low: "", high: "", sort: "order" };
  const ORDERS = {
    order: ["as in the file"], unsure: ["least sure first", s => s.confidence, 1], sure: ["surest first", s => s.confidence, -1],
    low: ["lowest score first", s => s.score, 1], high: ["highest score first", s => s.score, -1],
    slow: ["slowest first", s => s.seconds, -1], fast: ["fastest first", s => s.seconds, 1], dear: ["dearest first", s => s.usd, -1],
  };
  let state = { ...FRESH }, shown = cases, at = 0, open = false, hay = null, asked = false, timer = 0, tall = 0;

  /* Texts */
  const whole = t => typeof t === "string" ? t : t.c ? t.c.map(([name, v]) => `${name}: ${whole(v)}`).join(" · ") : t.word || t.t;
  const text = i => i === null ? "" : whole(data.texts[i]);
  const cut = (t, n) => t.length <= n ? t : t.slice(0, (t.charCodeAt(n - 1) & 0xfc00) === 0xd800 ? n - 1 : n);
  const brief = (t, n) => { const line = cut(t, 3 * n).replace(/\s+/g, " ").trim(); return line.length > n || t.length > 3 * n ? cut(line, n) + "…" : line; };
  const make = (name, kind, ...inside) => {
    const e = document.createElement(name);
    if (kind) e.className = kind;
    e.append(...inside.filter(x => x !== null && x !== ""));
    return e;
  };
  const bdi = t => make("bdi", "", t);
  const share = v => v.toFixed(3).replace(/^0/, "");
  const time = s => s < 1e-3 ? `${(s * 1e6).toFixed(0)} µs` : s < 1 ? `${(s * 1e3).toFixed(1)} ms` : `${s.toFixed(1)} s`;
  const usd = v => "$" + (v >= .1 || v === 0 ? v.toFixed(2) : String(+v.toPrecision(2)));
  const many = n => n.toLocaleString("en");

  function fold(t) { // a text with its end behind a button, and what the page has not counted
    if (t.word) return make("i", "", t.word);
    const all = typeof t === "string" ? t : t.t, head = cut(all, FOLD), box = make("span", "", bdi(head));
    if (t.more) box.append(make("span", "small", ` … ${many(t.more)} more characters are not in this page.`));
    if (head.length < all.length) {
      const button = make("button", "all", `… all ${many(all.length)} characters`);
      button.type = "button";
      button.onclick = () => { box.firstChild.textContent = all; button.remove(); panel.focus(); };
      box.insertBefore(button, box.childNodes[1] || null);
    }
    return box;
  }

  /* Which cases, in which order */
  const sought = () => hay ||= cases.map(c => [c.source, whole(c.inputs), text(c.expected),
    ...c.sides.flatMap(s => [text(s.answer), text(s.by), whole(s.reason), whole(s.error)])].join("\n").toLowerCase());

  function passes() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean), side = +state.side;
    const low = state.low === "" ? -1 : +state.low, high = state.high === "" ? 2 : +state.high;
    const tests = [
      state.show !== "all" && (c => c.word === state.show),
      words.length && (c => words.every(w => sought()[c.at].includes(w))),
      state.state && ((c, s) => STATES[s.state] === state.state),
      state.by && ((c, s) => text(s.by) === state.by),
      state.expected && (c => text(c.expected) === state.expected),
      state.answer && ((c, s) => s.answer !== null && text(s.answer) === state.answer),
      state.field && ((c, s) => s.fields.some(f => data.fields[f] === state.field)),
      (low > -1 || high < 2) && ((c, s) => s.score !== null && s.score >= low && s.score <= high),
    ].filter(Boolean);
    return c => tests.every(test => test(c, c.sides[side]));
  }

  function apply(keep = true) {
    const kept = shown[at], [, value, way] = ORDERS[state.sort], side = +state.side;
    shown = cases.filter(passes());
    if (value) shown.sort((a, b) => {
      const x = value(a.sides[side]), y = value(b.sides[side]);
      return x === y ? a.at - b.at : x === null ? 1 : y === null ? -1 : way * (x - y) || a.at - b.at;
    });
    at = keep && kept ? Math.max(0, shown.indexOf(kept)) : 0;
    if (!shown.length) shut();
    $("count").textContent = shown.length === cases.length ? `${many(cases.length)} cases` : `${many(shown.length)} of ${many(cases.length)} cases`;
    tools();
    fit();
    draw();
    if (open) detail();
    note();
  }

  /* The list: only the rows near the window exist */
  function height() { // of a row, in px
    const root = getComputedStyle(document.documentElement);
    return tall ||= parseFloat(root.getPropertyValue("--row")) * parseFloat(root.fontSize);
  }
  const covered = () => { const box = $("tools").getBoundingClientRect(); return getComputedStyle($("tools")).position === "sticky" ? box.height : 0; };

  function fit() {
    list.style.height = shown.length ? `${shown.length * height()}px` : "auto";
    document.documentElement.style.setProperty("--tools", `${covered()}px`);
  }

  function draw() {
    asked = false;
    if (!shown.length) return list.replaceChildren(make("p", "none-here", "No case is like this. x clears all filters."));
    const top = -list.getBoundingClientRect().top;
    height();
    const first = Math.max(0, Math.floor(top / tall) - 4), end = Math.min(shown.length, first + Math.ceil(innerHeight / tall) + 10);
    const rows = [];
    for (let i = first; i < end; i++) rows.push(row(shown[i], i));
    list.replaceChildren(...rows);
    const selected = at >= first && at < end;
    selected ? list.setAttribute("aria-activedescendant", `case-${at}`) : list.removeAttribute("aria-activedescendant");
  }

  function row(c, i) {
    const s = c.sides[+state.side], e = make("div", "row");
    const mark = make("span", "mark " + c.word.replace(" ", "-"), MARKS[c.word]);
    mark.title = c.word;
    const said = make("span", "said", make("span", "", "expected ", make("b", "", bdi(brief(text(c.expected), 60)))));
    c.sides.forEach((side, k) => {
      const answer = side.error ? "no answer" : brief(text(side.answer), 60);
      if (side.state || two) said.append(make("span", "", two ? `${k + 1}: ${MARKS[STATES[side.state]]} ` : "answered ", make("b", "", bdi(answer))));
    });
    const figures = make("span", "figures", make("span", "", [s.by !== null && text(s.by), s.confidence !== null && share(s.confidence)].filter(Boolean).join(" · ")),
      make("span", "", [data.graded && s.score !== null && `score ${share(s.score)}`, s.seconds !== null && time(s.seconds)].filter(Boolean).join(" · ")));
    e.append(mark, make("span", "", make("span", "line", bdi(brief(whole(c.inputs), 200) || "(empty)")), said), figures);
    e.id = `case-${i}`;
    e.style.transform = `translateY(${i * tall}px)`;
    for (const [name, value] of [["role", "option"], ["aria-selected", i === at], ["aria-setsize", shown.length], ["aria-posinset", i + 1]]) e.setAttribute(name, value);
    e.setAttribute("aria-label", `${c.word}: ${brief(whole(c.inputs), 80)}`);
    e.onclick = () => { at = i; show(true); };
    return e;
  }

  function reach() { // scroll so far that the selected row is in sight
    const y = list.getBoundingClientRect().top + at * height(), above = covered();
    if (y < above) scrollBy(0, Math.floor(y - above));
    else if (y + tall > innerHeight) scrollBy(0, Math.ceil(y + tall - innerHeight));
    draw();
  }

  /* One case */
  function show(opened) {
    open = opened && shown.length > 0;
    split.classList.toggle("open", open);
    panel.hidden = !open;
    fit();
    if (open) detail();
    reach();
    (open ? panel : list).focus({ preventScroll: true });
    note();
  }

  function shut() {
    open = false;
    panel.hidden = true;
    split.classList.remove("open");
  }

  function move(by) {
    if (shown.length) at = Math.min(Math.max(at + by, 0), shown.length - 1);
    reach();
    if (open) detail();
    note();
  }

  function detail() {
    const c = shown[at], bar = make("div", "bar", make("span", "place", `${many(at + 1)} of ${many(shown.length)}`));
    const pair = c.sides[+state.side].answer !== null && [...$("answer").options].some(o => o.value === text(c.sides[+state.side].answer));
    const buttons = [["Previous", () => move(-1)], ["Next", () => move(1)], ["Close", () => show(false)]];
    if (pair) buttons.unshift(["Same pair", () => set({ expected: text(c.expected), answer: text(c.sides[+state.side].answer) })]);
    for (const [word, act] of buttons) { const b = make("button", "", word); b.type = "button"; b.onclick = act; bar.append(b); }
    panel.replaceChildren(bar, ...about(c));
    panel.scrollTop = 0;
  }

  function about(c) {
    const title = make("p", "", make("span", "mark " + c.word.replace(" ", "-"), `${MARKS[c.word]} `), make("b", "", c.word), " · ", make("cite", "", bdi(c.source)));
    const columns = c.inputs.c ? c.inputs.c : [["input", c.inputs]];
    const asked = columns.flatMap(([name, t]) => [make("h3", "", bdi(name)), make("div", "text asked", fold(t))]);
    return [title, ...asked, make("h3", "", "expected"), make("div", "text", fold(data.texts[c.expected])), make("div", "sides", ...c.sides.map(answered))];
  }

  function answered(s, k) {
    const word = STATES[s.state], box = make("div", "", make("h3", "", two ? bdi(data.names[k]) : "answered"));
    box.append(make("div", s.state ? "text fault" : "text", s.answer === null ? fold(s.error || "no answer") : fold(data.texts[s.answer])));
    box.append(make("p", "outcome", `${MARKS[word]} ${word}`));
    if (whole(s.reason)) box.append(make("p", "small text", fold(s.reason)));
    for (const [word, answer, score] of s.samples || []) box.append(make("p", "small text", `${MARKS[STATES[word]]} `, answer === null ? "no answer" : bdi(brief(text(answer), 200)), data.graded && score !== null ? ` · ${share(score)}` : ""));
    const facts = [s.score !== null && data.graded && `score ${share(s.score)}`, s.confidence !== null && `confidence ${share(s.confidence)}`,
      s.by !== null && `by ${text(s.by)}`, s.seconds !== null && time(s.seconds), s.usd && usd(s.usd), s.fitted && "fitted on this case"];
    box.append(make("p", "small", facts.filter(Boolean).join(" · ")));
    return box;
  }

  /* The tools */
  const CHIPS = [...document.querySelectorAll("[data-show]")], MENUS = ["side", "state", "by", "expected", "answer", "field", "sort"].map($).filter(Boolean);

  function fill(name, every, values) {
    const menu = $(name);
    if (!menu) return;
    const counts = new Map();
    for (const v of values) counts.set(v, (counts.get(v) || 0) + 1);
    const named = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const few = named.length > 1 && named.length <= (2 * named.length > values.length ? 12 : MENU); // texts that hardly repeat are for search
    menu.replaceChildren(new Option(every, ""), ...(few ? named.map(([v, n]) => new Option(`${brief(v, 40)} (${many(n)})`, v)) : []));
    $(`${name}-label`).hidden = !few;
  }

  function menus() { // what there is to choose, of the side that is chosen
    const side = cases.map(c => c.sides[+state.side]);
    fill("state", "any", side.map(s => STATES[s.state]));
    fill("by", "anyone", side.filter(s => s.by !== null).map(s => text(s.by)));
    fill("expected", "anything", cases.map(c => text(c.expected)));
    fill("answer", "anything", side.filter(s => s.answer !== null).map(s => text(s.answer)));
    fill("field", "any", side.flatMap(s => s.fields.map(f => data.fields[f])));
    const has = Object.entries(ORDERS).filter(([key, [, value]]) => !value || (data.graded || !["low", "high"].includes(key)) && side.some(s => value(s) !== null && (key !== "dear" || value(s))));
    $("sort").replaceChildren(...has.map(([key, [word]]) => new Option(word, key)));
    if (two) $("side").replaceChildren(...data.names.map((name, i) => new Option(`${i + 1}: ${name}`, String(i))));
  }

  function tools() {
    for (const chip of CHIPS) chip.setAttribute("aria-pressed", chip.dataset.show === state.show);
    for (const name of ["q", "low", "high"]) if ($(name) && $(name).value !== state[name]) $(name).value = state[name];
    for (const menu of MENUS) menu.value = state[menu.id];
    $("clear").disabled = Object.keys(FRESH).every(k => k === "side" || k === "sort" || state[k] === FRESH[k]);
  }

  function set(changed, keep = true) {
    const side = state.side;
    state = { ...state, ...changed };
    if (state.side !== side) { Object.assign(state, { by: "", answer: "", field: "", ...changed }); menus(); }
    apply(keep);
    reach();
  }

  /* The address */
  function note() {
    clearTimeout(timer); // browsers refuse an address that changes all the time
    timer = setTimeout(() => {
      const said = new URLSearchParams(Object.entries(state).filter(([k, v]) => v !== FRESH[k]));
      if (open) said.set("case", shown[at].at + 1);
      try { history.replaceState(null, "", `#${said}`); } catch { /* a browser that has had enough of it */ }
    }, 150);
  }

  function read() {
    const said = new URLSearchParams(location.hash.slice(1));
    state = { ...FRESH };
    for (const key of Object.keys(FRESH)) if (said.has(key)) state[key] = said.get(key);
    if (!data.names[+state.side]) state.side = FRESH.side;
    if (!Object.hasOwn(ORDERS, state.sort)) state.sort = "order";
    menus();
    apply(false);
    const asked = said.has("case") ? shown.findIndex(c => c.at === said.get("case") - 1) : -1;
    if (asked >= 0) { at = asked; show(true); } else if (open) show(false);
  }

  /* What a person does */
  const flip = word => set({ show: state.show === word ? "all" : word }, false);
  const KEYS = {
    j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1), Home: () => move(-shown.length), End: () => move(shown.length),
    PageDown: () => move(Math.floor(innerHeight / height()) - 2), PageUp: () => move(2 - Math.floor(innerHeight / height())),
    Enter: () => show(true), Escape: () => show(false), f: () => flip(two ? "broken" : "wrong"), x: clear,
    "/": () => { $("q").focus(); $("q").select(); }, "?": () => $("help").showModal(),
  };
  CHIPS.forEach((chip, i) => { KEYS[i + 1] = chip.onclick = () => set({ show: chip.dataset.show }, false); });
  function clear() { set({ ...FRESH, side: state.side, sort: state.sort }); }

  document.addEventListener("keydown", e => {
    const on = e.target, typing = on.matches("input, select");
    if (e.ctrlKey || e.metaKey || e.altKey || $("help").open) return;
    if (typing && (e.key === "Escape" || e.key === "Enter" && on.id === "q")) { e.preventDefault(); return list.focus({ preventScroll: true }); }
    if (typing || !Object.hasOwn(KEYS, e.key) || e.key === "Enter" && on.matches("button")) return;
    if (on === panel && ["ArrowDown", "ArrowUp", "Home", "End", "PageDown", "PageUp"].includes(e.key)) return; // they scroll it
    e.preventDefault();
    KEYS[e.key]();
  });
  $("tools").addEventListener("submit", e => e.preventDefault());
  for (const menu of MENUS) menu.addEventListener("change", () => set({ [menu.id]: menu.value }));
  for (const name of ["q", "low", "high"]) if ($(name)) $(name).addEventListener("input", e => set({ [name]: e.target.value }));
  $("clear").onclick = clear;
  split.classList.toggle("two", two);
  $("keys").onclick = () => $("help").showModal();
  const later = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };
  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", () => { tall = 0; fit(); later(); });
  addEventListener("hashchange", read);
  function printed(on) { // on paper every case stands whole; a browser counts its pages right after "beforeprint"
    if (!on) return paper.replaceChildren();
    const left = shown.length - PRINTED, end = left > 0 ? [make("p", "note", `${many(left)} more cases are left out of print.`)] : [];
    paper.replaceChildren(...shown.slice(0, PRINTED).map(c => make("article", "", ...about(c))), ...end);
  }
  addEventListener("beforeprint", () => printed(true));
  addEventListener("afterprint", () => printed(false));
  matchMedia("print").addEventListener("change", e => printed(e.matches));
  read();
})();
