"use strict";
// The page's script: the table of workers, sorting, copying, figures of the chart. It reads only the page and its
// data, and inserts text as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const make = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const span = (minutes) => {
    const pad = (n) => String(n).padStart(2, "0");
    const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
    if (days) return `${days}d${pad(hours)}h`;
    return hours ? `${hours}h${pad(rest)}m` : `${rest}m`;
  };
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const marks = { good: "✓", bad: "✗", busy: "▶", rest: "·" };

  // The page's data.
  const data = JSON.parse(byId("data").textContent);
  const word = (n) => (n < 0 ? "" : data.s[n]);
  const workers = data.rows.map((row, place) => {
    const [instance, group, category, cause, evidence, runs, desired, behind, remedy] = row;
    const [name, tone, drift] = data.categories[category];
    return {
      place, instance, group: word(group), category: name, tone, drift, rank: category,
      cause: word(cause), evidence: word(evidence), runs: word(runs), desired: word(desired), behind,
      remedy: word(remedy).split("\0").join(instance),
    };
  });
  const haystack = (w) =>
    (w.text ??= `${w.instance}\n${w.group}\n${w.category}\n${w.cause}\n${w.evidence}\n${w.runs}\n${w.desired}\n${w.remedy}`.toLowerCase());
  const versions = (w) =>
    w.runs === w.desired && w.desired ? w.runs : `${w.runs || "no version"} → ${w.desired || "none desired"}`;

  const behind = (w) => (w.behind > 0 ? span(w.behind) : w.drift && w.behind === 0 ? "<1m" : "");

  // The state of the table, kept in the address so that a link shows the same rows.
  const anyDrift = workers.some((w) => w.drift);
  const state = { words: "", categories: new Set(), sort: "", descending: false };
  const defaults = () => {
    state.words = "";
    state.categories = new Set(anyDrift ? data.categories.filter((c) => c[2]).map((c) => c[0]) : []);
    state.sort = "";
    state.descending = false;
  };
  const known = new Set(data.categories.map((c) => c[0]));
  const fromAddress = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (![...asked.keys()].some((key) => ["q", "c", "sort"].includes(key))) return false;
    state.words = asked.get("q") || "";
    state.categories = new Set((asked.get("c") || "").split(",").filter((c) => known.has(c)));
    const sort = asked.get("sort") || "";
    state.descending = sort.startsWith("-");
    state.sort = Object.hasOwn(orders, sort.replace("-", "")) ? sort.replace("-", "") : "";
    return true;
  };
  const toAddress = () => {
    const says = new URLSearchParams();
    says.set("q", state.words);
    says.set("c", [...state.categories].join(","));
    says.set("sort", (state.descending ? "-" : "") + state.sort);
    try { history.replaceState(null, "", `#${says}`); } catch { /* a frame without its own address */ }
  };

  const orders = {
    instance: (a, b) => compare(a.instance, b.instance),
    group: (a, b) => compare(a.group, b.group),
    category: (a, b) => a.rank - b.rank,
    why: (a, b) => compare(a.cause, b.cause),
    versions: (a, b) => compare(a.runs, b.runs),
    behind: (a, b) => a.behind - b.behind,
  };
  let sorted = workers;
  const sort = () => {
    const order = orders[state.sort];
    sorted = order ? [...workers].sort((a, b) => (state.descending ? order(b, a) : order(a, b)) || a.place - b.place) : workers;
    for (const th of document.querySelectorAll("#workers th")) {
      const mine = th.querySelector("button").dataset.sort === state.sort;
      th.setAttribute("aria-sort", mine ? (state.descending ? "descending" : "ascending") : "none");
    }
  };

  // The script adds a hundred rows at a time while the reader scrolls.
  const body = byId("workers-body");
  let matching = [];
  let there = 0;
  const cell = (name, ...children) => {
    const td = make("td", `c-${name}`);
    td.append(...children);
    return td;
  };
  const command = (text) => {
    const node = make("span", "command");
    const button = make("button", "copy", "Copy");
    button.type = "button";
    const code = make("code");
    const note = text.indexOf("   # ");
    code.append(note < 0 ? text : text.slice(0, note));
    if (note >= 0) code.append(make("span", "note", text.slice(note)));
    node.append(code, button);
    return node;
  };
  const rowOf = (w) => {
    const tr = make("tr");
    const badge = make("span", `badge ${w.tone}`);
    const mark = make("span", `mark ${w.tone}`, marks[w.tone]);
    mark.setAttribute("aria-hidden", "true");
    badge.append(mark, w.category);
    const why = [];
    if (w.cause) why.push(make("b", "", w.cause));
    if (w.evidence) why.push(make("span", "evidence", w.evidence));
    if (w.remedy) why.push(command(w.remedy));
    tr.append(
      cell("instance", make("code", "", w.instance)), cell("group", w.group), cell("category", badge),
      cell("why", ...why), cell("versions", versions(w)), cell("behind", behind(w)),
    );
    return tr;
  };
  const showMore = (number = data.step) => {
    const rows = document.createDocumentFragment();
    for (const w of matching.slice(there, there + number)) rows.append(rowOf(w));
    there = Math.min(there + number, matching.length);
    body.append(rows);
    byId("rest").hidden = there >= matching.length;
  };
  const count = (n) => n.toLocaleString("en");
  const show = () => {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    matching = sorted.filter((w) =>
      (!state.categories.size || state.categories.has(w.category)) && words.every((each) => haystack(w).includes(each)));
    there = 0;
    body.replaceChildren();
    if (matching.length) showMore();
    else {
      const tr = make("tr");
      const td = make("td", "nothing", workers.length ? "No worker matches." : "There are no workers.");
      td.colSpan = 6;
      tr.append(td);
      body.append(tr);
      byId("rest").hidden = true;
    }
    byId("shown").textContent = `${count(matching.length)} of ${count(workers.length)} workers`;
    for (const chip of document.querySelectorAll(".chip")) {
      chip.setAttribute("aria-pressed", String(state.categories.has(chip.dataset.category)));
    }
    byId("everything").hidden = !state.words && !state.categories.size;
  };
  const changed = () => { show(); toAddress(); };

  // Filter, sort, categories, groups.
  const field = byId("filter");
  field.addEventListener("input", () => { state.words = field.value; changed(); });
  byId("everything").addEventListener("click", () => {
    state.words = field.value = "";
    state.categories.clear();
    changed();
    field.focus();
  });
  byId("more").addEventListener("click", () => {
    const first = there;
    showMore();
    body.children[first]?.querySelector("button, code")?.focus();
  });
  if ("IntersectionObserver" in window) {
    new IntersectionObserver((seen) => { if (seen.some((s) => s.isIntersecting)) showMore(); }, { rootMargin: "600px" })
      .observe(byId("rest"));
  }
  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, a");
    if (!target) return;
    if (target.dataset.sort) {
      state.descending = state.sort === target.dataset.sort ? !state.descending : target.dataset.sort === "behind";
      state.sort = target.dataset.sort;
      sort();
      changed();
    } else if (target.dataset.category) {
      const name = target.dataset.category;
      // The first click on a category shows only that category.
      if (usual()) state.categories = new Set([name]);
      else if (!state.categories.delete(name)) state.categories.add(name);
      changed();
    } else if (target.dataset.group) {
      event.preventDefault();
      state.words = field.value = target.dataset.group;
      state.categories.clear();
      changed();
      byId("workers-section").scrollIntoView();
      field.focus({ preventScroll: true });
    } else if (target.classList.contains("copy")) {
      copy(target);
    }
  });
  const usual = () => {
    const drift = data.categories.filter((c) => c[2]).map((c) => c[0]);
    return anyDrift && state.categories.size === drift.length && drift.every((c) => state.categories.has(c));
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "Escape" && typing === field) {
      state.words = field.value = "";
      changed();
    }
  });

  // Copying. Without TLS the browser has no clipboard API: then `execCommand`.
  const copy = async (button) => {
    const text = button.parentElement.querySelector("code").textContent;
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = done ? "Copied" : "Not allowed";
    button.classList.toggle("done", done);
    byId("copied").textContent = done ? `Copied: ${text}` : "The browser does not allow copying; select the command instead.";
    setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); }, 1500);
  };

  // The smaller tables: the script reorders their rows.
  for (const table of document.querySelectorAll("table.groups, table.releases")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((th, column) => {
      if (!th.textContent) return;
      const button = make("button", "", th.textContent);
      button.type = "button";
      th.replaceChildren(button);
      th.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const up = th.getAttribute("aria-sort") === "descending";
        for (const other of heads) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
        th.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => compare(a.cells[column].dataset.key, b.cells[column].dataset.key) * (up ? 1 : -1));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // The snapshot's current age.
  const age = byId("age");
  const tick = () => {
    const minutes = Math.floor((Date.now() - Date.parse(age.dataset.snapshotAt)) / 60000);
    if (minutes < 0) return;
    age.textContent = minutes < 1 ? "just now" : `${span(minutes)} ago`;
    age.className = minutes > 10 ? "old" : "";
  };
  tick();
  setInterval(tick, 20000);

  // The pointer's place in the chart: time and figures.
  const chart = byId("chart-data") && JSON.parse(byId("chart-data").textContent);
  if (chart) {
    const plot = document.querySelector(".plot");
    const times = chart.at.map(Date.parse);
    const [from, to] = [Date.parse(chart.from), Date.parse(chart.to)];
    let at = times.length - 1;
    const point = (time) => {
      at = Math.max(times.findLastIndex((t) => t <= time), 0);
      const figures = chart.workers[at].map((n, v) => (n ? `${chart.names[v]}: ${count(n)}` : "")).filter(Boolean);
      const when = new Date(time).toISOString().slice(0, 16).replace("T", " ");
      byId("hovered").textContent = `${when}Z  ${figures.join(", ") || "no snapshot"}`;
      const x = `${(100 * (time - from)) / Math.max(to - from, 1)}%`;
      const line = byId("pointer");
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.setAttribute("visibility", "visible");
    };
    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      point(from + ((to - from) * (event.clientX - box.left)) / box.width);
    });
    plot.addEventListener("pointerleave", () => byId("pointer").setAttribute("visibility", "hidden"));
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      point(times[Math.min(Math.max(at + step, 0), times.length - 1)]);
    });
  }

  // Paper does not scroll: print opened sections in full.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    showMore(matching.length);
    unfolded = [...document.querySelectorAll(".release[open] details:not([open])")];
    for (const each of unfolded) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of unfolded) each.open = false; });

  defaults();
  fromAddress();
  field.value = state.words;
  sort();
  show();
  byId("controls").hidden = false;
  for (const button of document.querySelectorAll(".copy")) button.hidden = false;
  addEventListener("hashchange", () => { if (fromAddress()) { field.value = state.words; sort(); show(); } });
})();
