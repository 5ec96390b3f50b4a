'use strict';
// Shows one reading a second, and sends what the buttons ask for.

const SECONDS = 60;
const byId = (id) => document.getElementById(id);
const csrf = document.querySelector('meta[name=csrf]');

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function chart(id, names) {
  const colours = [colour('--accent'), colour('--error'), colour('--soft')];
  const soft = colour('--soft');
  return new Chart(byId(id), {
    type: 'line',
    data: {
      labels: Array.from({length: SECONDS}, (_, i) => i - SECONDS + 1),
      datasets: names.map((name, i) => ({
        label: name, data: Array(SECONDS).fill(null), borderColor: colours[i], backgroundColor: colours[i],
        borderWidth: 2, pointRadius: 0
      }))
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      scales: {
        x: {display: false},
        y: {beginAtZero: true, ticks: {color: soft, precision: 0}, grid: {color: colour('--line')}}
      },
      plugins: {legend: {display: names.length > 1, labels: {color: soft, boxWidth: 12}}}
    }
  });
}

// What a chart shows is in its caption as well, in figures.
function push(to, values) {
  byId(to.canvas.id + '-now').textContent = to.data.datasets.map((set, i) =>
    (values.length > 1 ? set.label + ' ' : '') + (values[i] ?? '–')).join(', ');
  to.data.datasets.forEach((set, i) => {
    set.data.push(values[i]);
    set.data.shift();
  });
  to.update('none');
}

function state(id, text, bad) {
  const element = byId(id);
  element.textContent = text;
  element.classList.toggle('bad', Boolean(bad));
}

function tier(id, it, more) {
  state(id, it.state, it.state !== 'up');
  byId(id + '-more').textContent = 'breaker ' + it.breaker + more;
}

function show(charts, message) {
  const {reading, session} = message;
  const {stores, misses} = reading;
  const missed = Object.values(misses).reduce((sum, value) => sum + value, 0);
  const reads = reading.hits + missed;
  const resync = stores.resync;
  tier('redis', stores.redis, resync.running ? ', resync: ' + resync.compared + ' compared, ' + resync.putBack + ' put back' : '');
  tier('durable', stores.durable, reading.database.up ? '' : ', not running');
  state('hit-rate', reads > 0 ? Math.round(100 * reading.hits / reads) + ' %' : '–', reads > 0 && reading.hits / reads < 0.9);
  byId('misses').textContent = Object.entries(misses).filter(([, n]) => n > 0).map(([cause, n]) => n + ' ' + cause).join(', ');
  state('absent', String(reading.load.absent), reading.load.absent > 0);
  byId('absent-more').textContent = 'of the visitors below; ' + reading.load.failed + ' errors and ' + reading.load.dropped + ' not begun in time, in the last second';
  document.querySelectorAll('[data-load]').forEach((button) =>
    button.setAttribute('aria-pressed', String(Number(button.dataset.load) === reading.visitsPerSecond)));
  state('pending', String(stores.counts.pending + stores.counts.unpersisted), false);
  byId('pending-more').textContent = stores.counts.pending + ' for Redis, ' + stores.counts.unpersisted + ' for the database';
  state('own', session ? session.answeredBy : 'none', session && session.answeredBy === 'no store');
  byId('own-more').textContent = session
    ? 'version ' + (session.version ?? '–') + ', ' + (session.ttlSeconds === null ? 'not in Redis' : session.ttlSeconds + ' s to live in Redis')
    : 'log in, and open this page again';
  push(charts.reads, [reading.hits, misses.lost + misses.unavailable, misses.unanswered]);
  push(charts.latency, [reading.load.count > 0 ? reading.load.p99Ms : null]);
  push(charts.transactions, [reading.database.transactions]);
  push(charts.connections, [reading.database.active]);
  const findings = stores.doctor.findings.map((finding) => {
    const item = document.createElement('li');
    const severity = document.createElement('strong');
    severity.textContent = finding.severity + ': ';
    item.append(severity, finding.what + ' ' + finding.why + ' What to do: ' + finding.fix);
    return item;
  });
  if (findings.length === 0) {
    const item = document.createElement('li');
    item.textContent = 'Nothing.';
    findings.push(item);
  }
  byId('findings').replaceChildren(...findings);
}

async function send(button, path, done) {
  if (button.hasAttribute('aria-busy')) {
    return;
  }
  button.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(path, {method: 'POST', headers: {[csrf.dataset.header]: csrf.content}});
    if (response.status === 409) {
      byId('said').textContent = 'Another button is still at work.';
    } else {
      byId('said').textContent = response.ok ? done : 'That did not work: ' + response.status;
    }
  } catch (error) {
    byId('said').textContent = 'The shop does not answer.';
  } finally {
    button.removeAttribute('aria-busy');
  }
}

function start() {
  const charts = {
    reads: chart('reads', ['Redis', 'the database', 'nobody']),
    latency: chart('latency', ['p99']),
    transactions: chart('transactions', ['transactions']),
    connections: chart('connections', ['connections'])
  };
  const base = location.pathname.replace(/\/$/, '');
  document.querySelectorAll('[data-fault]').forEach((button) => button.addEventListener('click',
    () => send(button, base + '/faults/' + button.dataset.fault, button.textContent + ': done; ' + byId(button.getAttribute('aria-describedby')).textContent + '.')));
  document.querySelectorAll('[data-load]').forEach((button) => button.addEventListener('click',
    () => send(button, base + '/load?visitsPerSecond=' + button.dataset.load, button.textContent + ', from now on.')));
  listen(charts, base + '/events');
}

function listen(charts, path) {
  const events = new EventSource(path);
  let first = true;
  events.onmessage = (event) => {
    if (first) {
      byId('said').textContent = 'Press a button, and watch.';
      first = false;
    }
    show(charts, JSON.parse(event.data));
  };
  events.onerror = () => {
    byId('said').textContent = 'The shop does not answer; trying again.';
    first = true;
    // The browser tries again by itself when the connection is lost, but not after an answer that is an error.
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(() => listen(charts, path), 2000);
    }
  };
}

start();
