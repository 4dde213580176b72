// Theme, hover and small helpers of every page.
const byId = id => document.getElementById(id);
const make = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
// Texts by their value, and digits in them by theirs: test-2 before test-10.
const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' }).compare;

// A private window or a file may have no storage; then the choice lasts as long as the page.
const stored = {
  get: key => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* it lasts as long as the page */ } },
};
const root = document.documentElement;
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const themeButton = byId('theme');
const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : systemDark.matches);
const nameTheme = () => { themeButton.textContent = isDark() ? 'Light theme' : 'Dark theme'; };
const remembered = stored.get('bootstorm-theme');
if (remembered === 'dark' || remembered === 'light') root.dataset.theme = remembered;
if (themeButton) {
  themeButton.hidden = false;
  nameTheme();
  systemDark.addEventListener('change', nameTheme);
  themeButton.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    stored.set('bootstorm-theme', root.dataset.theme);
    nameTheme();
  });
}

// Hover: the title of an area becomes a tip that follows the pointer, or the arrow keys.
const tip = make('div', { id: 'tip', role: 'status', hidden: '' });
document.body.append(tip);
const says = new WeakMap();
let lit = null;
const words = hit => {
  if (!says.has(hit)) {
    const title = hit.querySelector('title');
    says.set(hit, title ? title.textContent : '');
    if (title) title.remove();
  }
  return says.get(hit);
};
const hideTip = () => { tip.hidden = true; if (lit) lit.classList.remove('on'); lit = null; };
const showTip = (hit, x, y) => {
  if (lit !== hit) {
    if (lit) lit.classList.remove('on');
    lit = hit;
    hit.classList.add('on');
    tip.textContent = words(hit);
  }
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 14 + box.width > innerWidth ? x - 14 - box.width : x + 14;
  const top = y + 14 + box.height > innerHeight ? y - 14 - box.height : y + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
};
const hitOf = event => (event.target instanceof Element ? event.target.closest('.hit') : null);
document.addEventListener('pointermove', event => {
  const hit = hitOf(event);
  if (hit) showTip(hit, event.clientX, event.clientY); else if (lit) hideTip();
});
document.addEventListener('pointerdown', event => {
  const hit = hitOf(event);
  if (hit) showTip(hit, event.clientX, event.clientY);
});
document.addEventListener('scroll', hideTip, { passive: true });
const walk = (svg, event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === 'Escape') hideTip();
  if (!step) return;
  const hits = [...svg.querySelectorAll('.hit')];
  if (!hits.length) return;
  event.preventDefault();
  const at = hits.indexOf(lit);
  const hit = hits[at < 0 ? (step > 0 ? 0 : hits.length - 1) : Math.min(hits.length - 1, Math.max(0, at + step))];
  const box = hit.getBoundingClientRect();
  showTip(hit, box.left + box.width / 2, box.top + box.height / 2);
};
const reachable = svg => {
  if (!svg.querySelector('.hit')) return;
  svg.setAttribute('tabindex', '0');
  svg.setAttribute('aria-roledescription', 'chart; arrow keys read its values');
  svg.addEventListener('keydown', event => walk(svg, event));
  svg.addEventListener('blur', hideTip);
};
document.querySelectorAll('.chart svg').forEach(reachable);
// A table that has to be scrolled can be scrolled by keyboard too.
document.querySelectorAll('.scroll').forEach(box => {
  if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) {
    box.setAttribute('tabindex', '0');
    box.setAttribute('role', 'region');
    const inside = box.querySelector('table');
    box.setAttribute('aria-label', (inside && inside.getAttribute('aria-label')) || 'Table');
  }
});

// CSV: quoted where needed; a text that a program would run as a formula, or read as a number, a date or a truth value, gets
// the name of its column before it, as in the CSV that the command writes.
const others = new Set('true false t f yes no y n on off null none nan na inf infinity today tomorrow yesterday now noon midnight eod eom eoy am pm monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec d h m s w q e x b o ms us ns min mins sec secs hr hrs hour hours day days week weeks month months year years minute minutes second seconds');
const isMisread = text => {
  if (/^\d+(?:\.\d+){3}$|^[0-9a-f]*:[0-9a-f:.]*$/i.test(text)) return false;
  const pieces = text.match(/\d+|\p{L}+/gu) || [];
  return /^0x[0-9a-f]+$/i.test(text)
    || pieces.length > 0 && pieces.every(piece => /^\d+$/.test(piece) || others.has(piece.toLowerCase()));
};
const cell = (value, column) => {
  if (value === null || value === undefined) return '';
  let text = String(value);
  if (typeof value !== 'number' && column && (/^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) || isMisread(text))) text = `${column}:${text}`;
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
};
const download = (name, lines) => {
  const [head, ...rows] = lines;
  const all = [head.map(name => cell(name)), ...rows.map(row => row.map((value, place) => cell(value, head[place])))];
  const text = all.map(line => line.join(',')).join('\r\n') + '\r\n';
  const link = make('a', { download: name.replace(/[^\w.-]+/g, '_') });
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// A table that is sorted, filtered and turned page by page. `columns` are { name, kind, text(row), value(row), below? };
// what is below stands in a line of its own under the row, rows are whatever the columns understand.
const PAGE = 50;
const pagedTable = ({ table, status, pages, noun }) => {
  let columns = [], rows = [], sort = null, page = 0;
  const body = table.tBodies[0];
  while (table.tBodies.length > 1) table.tBodies[1].remove();
  const first = make('button', { type: 'button' }, '« First');
  const previous = make('button', { type: 'button' }, '‹ Previous');
  const next = make('button', { type: 'button' }, 'Next ›');
  const last = make('button', { type: 'button' }, 'Last »');
  pages.append(first, previous, next, last);
  const most = () => Math.max(0, Math.ceil(rows.length / PAGE) - 1);
  const turn = to => { page = Math.min(most(), Math.max(0, to)); paint(); };
  first.onclick = () => turn(0);
  previous.onclick = () => turn(page - 1);
  next.onclick = () => turn(page + 1);
  last.onclick = () => turn(most());
  const paint = () => {
    const from = page * PAGE, shown = rows.slice(from, from + PAGE);
    const beside = columns.filter(column => !column.below);
    body.replaceChildren(...shown.flatMap(row => {
      const line = document.createElement('tr');
      beside.forEach((column, index) => {
        const place = make(index ? 'td' : 'th', index ? {} : { scope: 'row' });
        if (column.kind) place.className = column.kind;
        if (column.paint) place.append(column.paint(row)); else place.textContent = column.text(row);
        line.append(place);
      });
      const told = columns.filter(column => column.below && column.text(row)).map(column => {
        const place = make('td', { colspan: beside.length }, make('div', {}, column.text(row)));
        return make('tr', { class: 'why' }, place);
      });
      if (told.length) line.className = 'explained';
      return [line, ...told];
    }));
    pages.hidden = rows.length <= PAGE;
    first.disabled = previous.disabled = page === 0;
    next.disabled = last.disabled = page >= most();
    const range = rows.length > PAGE ? `, ${from + 1} to ${from + shown.length} shown` : '';
    status.textContent = `${rows.length} ${noun(rows.length)}${range}`;
  };
  const order = () => {
    if (sort) {
      const { column, down } = sort;
      const keyed = rows.map((row, index) => ({ row, index, key: column.value(row) }));
      keyed.sort((a, b) => {
        // Unknown values come last, whichever way the rest is sorted.
        if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.index - b.index;
        const way = typeof a.key === 'number' ? a.key - b.key : natural(a.key, b.key);
        return (down ? -way : way) || a.index - b.index;
      });
      rows = keyed.map(entry => entry.row);
    }
    page = 0;
    paint();
  };
  const head = () => {
    const line = document.createElement('tr');
    for (const column of columns.filter(column => !column.below)) {
      const button = make('button', { type: 'button', class: 'sort' }, column.name);
      const place = make('th', { scope: 'col' }, button);
      if (column.kind) place.className = column.kind;
      if (sort && sort.column.name === column.name) place.setAttribute('aria-sort', sort.down ? 'descending' : 'ascending');
      button.onclick = () => {
        const again = sort && sort.column.name === column.name;
        sort = { column, down: again ? !sort.down : false };
        line.querySelectorAll('th').forEach(other => other.removeAttribute('aria-sort'));
        place.setAttribute('aria-sort', sort.down ? 'descending' : 'ascending');
        order();
      };
      line.append(place);
    }
    table.tHead.replaceChildren(line);
  };
  return {
    show(newColumns, newRows) {
      columns = newColumns;
      rows = newRows;
      // The order stays with the column of that name, if there still is one.
      if (sort) {
        const column = columns.find(other => other.name === sort.column.name);
        sort = column ? { column, down: sort.down } : null;
      }
      head();
      order();
    },
    filtered(newRows) { rows = newRows; order(); },
    rows: () => rows,
    columns: () => columns,
  };
};
const OUTCOMES = { reached: 'reached', failed: 'failed', 'timed-out': 'timed out', excluded: 'excluded', pending: 'undecided' };
const outcomeOf = word => OUTCOMES[word] || word;
const labelled = (text, control, kind) => make('label', kind ? { class: kind } : {}, text, control);
const options = (select, entries) => {
  select.replaceChildren(...entries.map(([value, text]) => make('option', { value }, text)));
};
