// Filters, charts, configurations, runs and their details.
const data = JSON.parse(byId('data').textContent);
const runs = data ? data.runs : [];
const SVG = (document.querySelector('svg') || {}).namespaceURI;
const draw = (name, attributes, text) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const FIGURES = {
  running_mean: ['mean time to running, s', part => part.running && part.running.mean],
  running_p95: ['p95 time to running, s', part => part.running && part.running.p95],
  running_max: ['slowest time to running, s', part => part.running && part.running.max],
  reachable_mean: ['mean time to answer, s', part => part.reachable && part.reachable.mean],
  reachable_p95: ['p95 time to answer, s', part => part.reachable && part.reachable.p95],
  reachable_max: ['slowest time to answer, s', part => part.reachable && part.reachable.max],
  total: ['whole phase, s', part => part.total],
  arrived: ['VMs that reached the goal, %', part => (part.vms ? part.arrived * 100 / part.vms : null)],
};
const GROUPS = {
  vms: ['number of VMs', run => run.vms],
  driver: ['storage', run => run.driver || 'no label'],
  placement: ['placement', run => placement(run)],
  disks: ['disks per VM', run => (run.disks === null ? 'unknown' : run.disks)],
  tool: ['tool', run => TOOLS[run.tool]],
};
const TOOLS = { bootstorm: 'kubectl-bootstorm', virtbench: 'virtbench', kubeburner: 'kube-burner' };
const PARTS = [['create', 'baseline', 'creation'], ['storm', 'storm', 'storm']];
const placement = run => (run.nodes === null ? 'not recorded' : run.nodes === 1 ? 'single node' : `${run.nodes} nodes`);
const known = value => value !== null && value !== undefined && Number.isFinite(value);
const figure = (run, name, pick) => (run[name] && known(pick(run[name])) ? pick(run[name]) : null);
// Every storm is an entry, with the creation of its run; a creation counts once, and only boot storms compare with it.
const oncePerRun = entries => { const seen = new Set(); return entries.filter(({ run }) => !seen.has(run) && seen.add(run)); };
const comparable = (entries, part) => (part === 'create' ? oncePerRun(entries) : entries.filter(run => !run.setting.kind));
const two = value => (known(value) ? value.toFixed(2) : '–');
const mean = values => {
  const numbers = values.filter(known);
  return numbers.length ? numbers.reduce((sum, value) => sum + value, 0) / numbers.length : null;
};
const shownOf = key => run => (known(run.shown[key]) ? run.shown[key] : null);
const missed = run => run.missed;
const setting = run => ['source', 'class', 'size', 'cluster', 'pinning', 'probe', 'kind'].map(key => run.setting[key]).filter(Boolean).join(', ');
const trends = data ? data.trends : [];
const graded = (box, run) => {
  const word = (run && run.verdict) || '–';
  box.className = `word grade ${word.replace(' ', '-')}`;
  box.title = (run && run.reason) || '';
  return box;
};
const when = (run, length) => new Date(run.began * 1000).toISOString().slice(0, length).replace('T', ' ');
const title = run => run.name + (run.storm_number > 1 ? ` (storm ${run.storm_number})` : '');
const plural = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;

// Axes as the static charts have them.
const roundStep = least => {
  if (!(least > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 2.5, 5, 10].map(factor => factor * power).find(step => step >= least * (1 - 1e-9)) || 10 * power;
};
const frame = (label, longest, yTitle, xTitle, width) => {
  const height = 250, left = 46, right = width - 10, top = 22, bottom = height - 38;
  const svg = draw('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label });
  const most = longest > 0 ? longest * 1.06 : 1;
  const y = value => bottom - (bottom - top) * Math.min(1, value / most);
  const step = roundStep(most / 4);
  for (let tick = 0; tick <= most; tick += step) {
    if (tick > 0) svg.append(draw('line', { class: 'grid', x1: left, x2: right, y1: y(tick), y2: y(tick) }));
    svg.append(draw('text', { class: 'tick', 'text-anchor': 'end', x: left - 6, y: y(tick) + 4 }, String(+tick.toFixed(6))));
  }
  svg.append(draw('line', { class: 'axis', x1: left, x2: right, y1: bottom, y2: bottom }));
  svg.append(draw('text', { class: 'title', x: 2, y: 11 }, yTitle));
  svg.append(draw('text', { class: 'title', 'text-anchor': 'end', x: right, y: height - 4 }, xTitle));
  return { svg, y, left, right, top, bottom };
};
// The place is measured, so that letters keep their size; where it cannot be, it is half a page.
const place = (id, svgOf) => {
  const box = byId(id), width = Math.max(300, Math.min(900, box.clientWidth || 570));
  const chart = make('div', { class: 'chart drawn' });
  const svg = svgOf(width);
  chart.append(svg);
  box.replaceChildren(chart);
  reachable(svg);
};
const label = (name, svg, x, y, anchor) => svg.append(draw('text', { class: 'tick', 'text-anchor': anchor || 'middle', x, y }, name));

const drawGroups = (shown, [figureTitle, pick], [groupTitle, key]) => place('groups', width => {
  const groups = new Map();
  for (const run of shown) {
    const name = String(key(run));
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(run);
  }
  const names = [...groups.keys()].sort(natural);
  const ranges = names.map(name => PARTS.map(([part]) => {
    const values = comparable(groups.get(name), part).map(run => figure(run, part, pick)).filter(known);
    return values.length ? { mean: mean(values), min: Math.min(...values), max: Math.max(...values) } : null;
  }));
  const longest = Math.max(0, ...ranges.flat().filter(Boolean).map(range => range.max));
  const { svg, y, left, right, top, bottom } = frame(`${figureTitle} by ${groupTitle}`, longest, figureTitle, groupTitle, width);
  const step = Math.min(110, (right - left) / Math.max(1, names.length)), wide = Math.min(26, step * .36);
  names.forEach((name, index) => {
    const middle = left + step * (index + .5), letters = Math.max(2, Math.floor(step / 6.5));
    if (step > 26 || index % 3 === 0) label(name.length > letters ? name.slice(0, letters - 1) + '…' : name, svg, middle, bottom + 17);
    const says = [`${name} (${groupTitle}), ${plural(oncePerRun(groups.get(name)).length, 'run')}`];
    PARTS.forEach(([, kind, word], side) => {
      const range = ranges[index][side];
      if (!range) return;
      const x = middle - (side ? 0 : wide);
      svg.append(draw('rect', { class: kind, x, y: y(range.mean), width: Math.max(1, wide - 2), height: bottom - y(range.mean) }));
      svg.append(draw('line', { class: 'whisker', x1: x + wide / 2 - 1, x2: x + wide / 2 - 1, y1: y(range.min), y2: y(range.max) }));
      says.push(`${word}: ${two(range.mean)} (${two(range.min)} to ${two(range.max)})`);
    });
    const hit = draw('rect', { class: 'hit', x: middle - step / 2, y: top, width: step, height: bottom - top });
    hit.append(draw('title', {}, says.join('\n')));
    svg.append(hit);
  });
  return svg;
});

const drawTrend = (shown, [figureTitle, pick]) => place('trend', width => {
  const values = shown.flatMap(run => PARTS.map(([part]) => figure(run, part, pick))).filter(known);
  const longest = values.reduce((most, value) => Math.max(most, value), 0);
  const { svg, y, left, right, bottom } = frame(`${figureTitle} over time`, longest, figureTitle, 'when the run began (UTC)', width);
  if (!shown.length) return svg;
  const times = shown.map(run => run.began), from = Math.min(...times), to = Math.max(...times);
  const x = run => left + 12 + (right - left - 24) * (to > from ? (run.began - from) / (to - from) : .5);
  const date = seconds => {
    const text = new Date(seconds * 1000).toISOString();
    return to - from > 172800 ? text.slice(0, 10) : text.slice(5, 16).replace('T', ' ');
  };
  label(date(from), svg, left, bottom + 17, 'start');
  if (to > from) label(date(to), svg, right, bottom + 17, 'end');
  if (to > from && width > 420) label(date((from + to) / 2), svg, (left + right) / 2, bottom + 17);
  for (const [part, kind, word] of PARTS) {
    for (const run of comparable(shown, part)) {
      const value = figure(run, part, pick);
      if (value === null) continue;
      const dot = draw('circle', { class: `dot ${kind} hit`, cx: x(run), cy: y(value), r: shown.length > 200 ? 2.5 : 4 });
      dot.append(draw('title', {}, `${title(run)}, ${plural(run.vms, 'VM')}\n${when(run, 16)} UTC${run.driver ? `\n${run.driver}` : ''}\n${word}: ${two(value)}`));
      svg.append(dot);
    }
  }
  return svg;
});

const cells = (line, entries) => {
  for (const [index, text] of entries.entries()) {
    const box = make(index ? 'td' : 'th', index ? {} : { scope: 'row' }, text);
    line.append(box);
  }
  return line;
};
const configurations = shown => {
  const groups = new Map();
  for (const run of shown) {
    const key = [run.driver || '–', setting(run), placement(run), run.disks === null ? '–' : run.disks, run.vms];
    if (!groups.has(run.configuration)) groups.set(run.configuration, { key, runs: [] });
    groups.get(run.configuration).runs.push(run);
  }
  const sorted = [...groups.entries()].sort(([a], [b]) => a - b);
  const body = byId('configuration-table').querySelector('tbody');
  body.replaceChildren(...sorted.map(([configuration, { key, runs: of }]) => {
    const slowest = of.map(shownOf('max')).filter(known);
    const create = mean(oncePerRun(of.filter(run => run.create)).map(shownOf('create'))), storm = mean(of.map(shownOf('storm')));
    const compared = create > 0 && known(storm) && of.some(run => known(run.shown.ratio));
    const trend = trends[configuration], last = [...of].reverse().find(run => run.verdict);
    const line = cells(document.createElement('tr'), [
      ...key.map(String), String(oncePerRun(of).length),
      of[0].shown.to, two(create), two(storm), compared ? `${(storm / create).toFixed(2)}×` : '–',
      slowest.length ? two(Math.max(...slowest)) : '–',
      (last && last.verdict) || '–', trend ? trend.words : '–',
      String(of.reduce((sum, run) => sum + missed(run), 0)),
    ]);
    line.children[1].className = 'word wide';
    line.children[2].className = 'word';
    line.children[6].className = 'word';
    graded(line.children[line.children.length - 3], last);
    line.children[line.children.length - 2].className = trend && trend.out ? 'word out' : 'word';
    return line;
  }));
};

// One run: both summaries, then every VM.
const details = byId('details');
const decode = (texts, row) => texts.prefix + texts.words[texts.rows.length ? texts.rows[row] : row];
const CAPTION = 'Seconds from each VM’s own request';
const caption = () => make('p', { class: 'caption' }, CAPTION);
const summary = run => {
  const table = make('table', { class: 'numbers', 'aria-label': CAPTION });
  const head = make('tr');
  for (const [index, name] of ['Phase', 'Milestone', 'VMs', 'Arrived', 'Min', 'Mean', 'p50', 'p95', 'Max', 'Whole phase'].entries()) {
    head.append(make('th', { scope: 'col', class: index < 2 ? 'word' : '' }, name));
  }
  const body = make('tbody');
  for (const [part, , word] of PARTS) {
    for (const milestone of ['running', 'reachable']) {
      const times = run[part] && run[part][milestone];
      if (!times) continue;
      const line = cells(make('tr'), [word, milestone, String(run[part].vms), String(times.count),
        ...[times.min, times.mean, times.p50, times.p95, times.max, run[part].total].map(two)]);
      line.children[1].className = 'word';
      body.append(line);
    }
  }
  table.append(make('thead', {}, head), body);
  return make('div', { class: 'scroll' }, table);
};
const vmColumns = rows => {
  const times = [
    ['Creation: running', 'creation_running_seconds', rows.create_running],
    ['Creation: reachable', 'creation_reachable_seconds', rows.create_reachable],
    ['Storm: running', 'storm_running_seconds', rows.storm_running],
    ['Storm: reachable', 'storm_reachable_seconds', rows.storm_reachable],
  ].filter(([, , column]) => column.some(value => value !== null));
  const text = (name, texts, kind) => ({ name, kind, text: row => decode(texts, row) || '–', value: row => decode(texts, row) || null });
  return [
    text('Namespace', rows.namespaces),
    ...(rows.nodes.words.length > 1 || decode(rows.nodes, 0) ? [text('Node', rows.nodes, 'word')] : []),
    {
      name: 'Outcome', kind: 'word', text: row => outcomeOf(decode(rows.outcomes, row)), value: row => outcomeOf(decode(rows.outcomes, row)),
      paint: row => make('span', { class: `outcome ${decode(rows.outcomes, row)}` }, outcomeOf(decode(rows.outcomes, row))),
    },
    ...times.map(([name, csvName, column]) => ({
      name, csvName, text: row => (column[row] === null ? '–' : (column[row] / 1000).toFixed(2)),
      value: row => column[row], csv: row => (column[row] === null ? null : column[row] / 1000),
    })),
  ];
};
const save = (name, columns, rows) => {
  const head = columns.map(column => column.csvName || column.name.toLowerCase());
  download(name, [head, ...rows.map(row => columns.map(column => (column.csv || column.value)(row)))]);
};
const openDetails = run => {
  const close = make('button', { type: 'button' }, 'Close');
  close.onclick = () => { details.hidden = true; byId('run-table').scrollIntoView(); };
  const facts = [`${when(run, 19)} UTC`, TOOLS[run.tool], plural(run.vms, 'VM'), `placement: ${placement(run)}`];
  if (run.driver) facts.push(`storage: ${run.driver}`);
  if (run.disks !== null) facts.push(plural(run.disks, 'disk'));
  if (setting(run)) facts.push(setting(run));
  if (run.verdict) facts.push(`verdict: ${run.verdict} – ${run.reason}`);
  details.replaceChildren(
    make('div', { class: 'head' }, make('h3', {}, title(run)), close),
    make('p', { class: 'facts' }, [...facts, ...run.versions].join(' · ')),
    make('p', { class: 'facts' }, 'Folder: ', make('code', {}, run.path), run.has_page ? ' (with report.html)' : ''),
    caption(), summary(run),
  );
  if (run.rows) {
    const rows = run.rows, all = rows.create_running.map((_, index) => index);
    const table = make('table', { class: 'numbers', 'aria-label': CAPTION }, make('thead'), make('tbody'));
    const status = make('p', { class: 'hint', role: 'status' }), pages = make('div', { class: 'controls' });
    const search = make('input', { type: 'search', placeholder: 'namespace or node' });
    const csv = make('button', { type: 'button' }, 'Download CSV');
    details.append(make('div', { class: 'controls' }, labelled('Search', search, 'grow'), csv), status, caption(),
      make('div', { class: 'scroll' }, table), pages);
    const view = pagedTable({ table, status, pages, noun: n => (n === 1 ? 'VM' : 'VMs') });
    view.show(vmColumns(rows), all);
    search.oninput = () => {
      const word = search.value.toLowerCase();
      view.filtered(all.filter(row => `${decode(rows.namespaces, row)} ${decode(rows.nodes, row)}`.toLowerCase().includes(word)));
    };
    csv.onclick = () => save(`${run.name}-${when(run, 10)}.csv`, view.columns(), view.rows());
  } else {
    details.append(make('p', { class: 'hint' }, 'The times of its VMs are left out to keep this page small; its folder has them.'));
  }
  details.hidden = false;
  details.focus();
  details.scrollIntoView();
};

if (runs.length) {
  const filters = byId('filters');
  const select = (name, entries) => { const box = make('select', { id: name }); options(box, entries); return box; };
  const values = key => [...new Set(runs.map(run => String(key(run))))].sort(natural);
  const choice = (name, text, key) => {
    const all = values(key);
    const box = select(name, [['', 'all'], ...all.map(value => [value, value])]);
    const control = labelled(text, box);
    control.hidden = all.length < 2;
    filters.append(control);
    return { box, key };
  };
  const has = pick => runs.some(run => PARTS.some(([part]) => figure(run, part, pick) !== null));
  const shownFigure = select('figure', Object.entries(FIGURES).filter(([, [, pick]]) => has(pick)).map(([key, [text]]) => [key, text]));
  const grouping = select('grouping', Object.entries(GROUPS).map(([key, [text]]) => [key, text]));
  filters.append(labelled('Figure', shownFigure), labelled('Group by', grouping));
  const choices = Object.entries(GROUPS).map(([key, [text, of]]) => choice(`filter-${key}`, text[0].toUpperCase() + text.slice(1), of));
  const search = make('input', { id: 'filter-text', type: 'search', placeholder: 'run, storage or folder' });
  filters.append(labelled('Search', search, 'grow'));
  filters.hidden = false;

  const columns = [
    { name: 'Began (UTC)', csvName: 'begun', text: run => when(run, 16), value: run => run.began, csv: run => new Date(run.began * 1000).toISOString() },
    {
      name: 'Run', kind: 'word', text: title, value: title,
      paint: run => {
        const button = make('button', { type: 'button', class: 'link' }, title(run));
        button.onclick = () => openDetails(run);
        return button;
      },
    },
    { name: 'Storage', kind: 'word', text: run => run.driver || '–', value: run => run.driver, csv: run => run.driver },
    { name: 'Placement', kind: 'word', text: placement, value: placement },
    { name: 'Disks', text: run => String(run.disks ?? '–'), value: run => run.disks },
    { name: 'VMs', text: run => String(run.vms), value: run => run.vms },
    { name: 'Time to', kind: 'word', csvName: 'milestone', text: run => run.shown.to, value: run => run.shown.to },
    ...[['Creation, mean', 'create_mean', 'create'], ['Storm, mean', 'storm_mean', 'storm'], ['Storm, p95', 'storm_p95', 'p95'],
      ['Storm, max', 'storm_max', 'max']]
      .filter(([, , key]) => runs.some(run => known(run.shown[key])))
      .map(([name, csvName, key]) => ({
        name, csvName: `${csvName}_seconds`, text: run => two(run.shown[key]), value: shownOf(key),
      })),
    { name: 'Storm ÷ creation', csvName: 'ratio', text: run => (known(run.shown.ratio) ? `${run.shown.ratio.toFixed(2)}×` : '–'), value: shownOf('ratio') },
    {
      name: 'Verdict', kind: 'word', text: run => run.verdict || '–', value: run => run.verdict,
      paint: run => { const box = make('span', {}, run.verdict || '–'); graded(box, run); return box; },
    },
    { name: 'Did not reach the goal', csvName: 'missed', text: run => String(missed(run)), value: missed },
    { name: 'Tool', kind: 'word', text: run => TOOLS[run.tool], value: run => TOOLS[run.tool] },
  ];
  // Runs with several storms have several rows.
  const several = oncePerRun(runs).length < runs.length;
  const rows = n => (several ? (n === 1 ? 'entry' : 'entries') : n === 1 ? 'run' : 'runs');
  const view = pagedTable({
    table: byId('run-table'), status: byId('run-status'), pages: byId('run-pages'), noun: rows,
  });
  const csv = make('button', { id: 'run-csv', type: 'button' }, 'Download CSV');
  csv.onclick = () => save('boot-storm-runs.csv', view.columns(), view.rows());
  byId('run-controls').append(csv);
  byId('run-controls').hidden = false;

  const wanted = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return runs.filter(run => {
      if (choices.some(({ box, key }) => box.value && String(key(run)) !== box.value)) return false;
      const all = `${run.name} ${run.driver || ''} ${run.path}`.toLowerCase();
      return words.every(word => all.includes(word));
    });
  };
  const charts = shown => {
    drawGroups(shown, FIGURES[shownFigure.value], GROUPS[grouping.value]);
    drawTrend(shown, FIGURES[shownFigure.value]);
    byId('groups-title').textContent = `By ${GROUPS[grouping.value][0]}`;
  };
  const change = () => {
    const shown = wanted();
    byId('filter-status').textContent = shown.length === runs.length ? '' : `${shown.length} ${rows(shown.length)} of ${runs.length} chosen.`;
    charts(shown);
    configurations(shown);
    view.filtered([...shown].reverse());
  };
  shownFigure.addEventListener('change', () => charts(wanted()));
  grouping.addEventListener('change', () => charts(wanted()));
  choices.forEach(({ box }) => box.addEventListener('change', change));
  search.addEventListener('input', change);
  let resized = 0;
  addEventListener('resize', () => { cancelAnimationFrame(resized); resized = requestAnimationFrame(() => charts(wanted())); });
  view.show(columns, [...runs].reverse());
  change();
}
