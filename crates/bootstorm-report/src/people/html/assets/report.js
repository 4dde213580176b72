// The table of VMs of one run.
const data = JSON.parse(byId('data').textContent);
const table = byId('vm-table');
const decode = (texts, row) => texts.prefix + texts.words[texts.rows.length ? texts.rows[row] : row];

const open = phase => {
  const inexact = new Map(phase.inexact.map(([place, row, source]) => [`${place} ${row}`, source]));
  const count = phase.attempts.length;
  const rows = Array.from({ length: count }, (_, row) => ({
    row,
    namespace: decode(phase.namespaces, row),
    name: decode(phase.names, row),
    node: decode(phase.nodes, row),
    outcome: decode(phase.outcomes, row),
    reason: decode(phase.reasons, row),
    attempts: phase.attempts[row],
  }));
  return { phase, inexact, rows };
};

const seconds = (opened, place, row) => {
  const time = opened.phase.times[place][row.row];
  if (time === null) return '–';
  const source = opened.inexact.get(`${place} ${row.row}`);
  if (source === 'stamped') return `${Math.round(time / 1000)} ±1`;
  return (source === 'late' ? '≤ ' : '') + (time / 1000).toFixed(3);
};

const columnsOf = (opened, baseline) => {
  const { phase, rows } = opened;
  const columns = [
    { name: 'Namespace', text: row => row.namespace, value: row => row.namespace },
  ];
  if (new Set(phase.names.words).size > 1) {
    columns.push({ name: 'VM', kind: 'word', text: row => row.name, value: row => row.name });
  }
  columns.push(
    { name: 'Node', kind: 'word', text: row => row.node || '–', value: row => row.node || null, csv: row => row.node },
    {
      name: 'Outcome', kind: 'word', text: row => outcomeOf(row.outcome),
      value: row => outcomeOf(row.outcome),
      paint: row => make('span', { class: `outcome ${row.outcome}` }, outcomeOf(row.outcome)),
    },
  );
  const time = (milestone, place) => ({
    name: milestone, csvName: `${milestone}_seconds`, text: row => seconds(opened, place, row),
    value: row => phase.times[place][row.row],
    csv: row => (phase.times[place][row.row] === null ? null : phase.times[place][row.row] / 1000),
  });
  // The goal is the first of them.
  const times = phase.milestones.map(time);
  columns.push(...times.slice(0, 1));
  const goal = phase.milestones.indexOf(phase.goal);
  const before = baseline && baseline !== opened ? baseline.phase.milestones.indexOf(phase.goal) : -1;
  if (goal >= 0 && before >= 0) {
    const known = new Map(baseline.rows.map(row => [`${row.namespace}/${row.name}`, baseline.phase.times[before][row.row]]));
    const ratio = row => {
      const first = known.get(`${row.namespace}/${row.name}`), second = phase.times[goal][row.row];
      return first && second !== null ? second / first : null;
    };
    columns.push({
      name: '× baseline', csvName: 'ratio_to_baseline', value: ratio,
      text: row => { const value = ratio(row); return value === null ? '–' : `${value.toFixed(2)}×`; },
    });
  }
  columns.push(...times.slice(1));
  if (rows.some(row => row.attempts > 1)) {
    columns.push({ name: 'Requests', csvName: 'requests', text: row => String(row.attempts), value: row => row.attempts });
  }
  if (rows.some(row => row.reason)) columns.push({ name: 'Reason', below: true, text: row => row.reason, value: row => row.reason || null, csv: row => row.reason });
  return columns;
};

if (table && data && data.phases.length) {
  const opened = data.phases.map(phase => open(phase));
  const baseline = data.baseline === null ? null : opened[data.baseline];
  let current = opened[data.first];
  const view = pagedTable({
    table, status: byId('vm-status'), pages: byId('vm-pages'), noun: n => (n === 1 ? 'VM' : 'VMs'),
  });

  const phases = make('select', { id: 'vm-phase' });
  options(phases, data.phases.map((phase, place) => [place, phase.phase]));
  phases.value = data.first;
  const text = make('input', { id: 'vm-filter', type: 'search', placeholder: 'namespace, node or reason' });
  const outcome = make('select', { id: 'vm-outcome' });
  const save = make('button', { id: 'vm-csv', type: 'button' }, 'Download CSV');
  byId('vm-controls').append(
    labelled('Phase', phases), labelled('Outcome', outcome), labelled('Search', text, 'grow'), save,
  );
  byId('vm-controls').hidden = false;
  if (data.left_out.length) {
    byId('vm-controls').append(make('p', { class: 'hint' },
      `Without rows here, to keep the page small: ${data.left_out[0]} to ${data.left_out[data.left_out.length - 1]}.`));
  }

  const outcomes = () => {
    const seen = [...new Set(current.rows.map(row => row.outcome))];
    options(outcome, [['', 'all'], ...seen.map(word => [word, outcomeOf(word)])]);
  };
  const wanted = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    return current.rows.filter(row => {
      if (outcome.value && row.outcome !== outcome.value) return false;
      const all = `${row.namespace} ${row.name} ${row.node} ${row.reason}`.toLowerCase();
      return words.every(word => all.includes(word));
    });
  };
  const change = () => { outcomes(); view.show(columnsOf(current, baseline), wanted()); };
  phases.addEventListener('change', () => { current = opened[Number(phases.value)]; change(); });
  outcome.addEventListener('change', () => view.filtered(wanted()));
  text.addEventListener('input', () => view.filtered(wanted()));
  save.addEventListener('click', () => {
    const columns = view.columns();
    const head = columns.map(column => column.csvName || column.name.toLowerCase());
    const lines = view.rows().map(row => columns.map(column => (column.csv || column.value)(row)));
    download(`${data.run}-${current.phase.phase}.csv`, [head, ...lines]);
  });
  change();
}
