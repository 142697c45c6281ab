// Flips switches while players draw: all gateways must obey within a second, and all is as before
// when a switch is back. ADMIN_URL is the admin address of one gateway, ADMIN_TOKEN its token.
import { check, fail, sleep } from 'k6';
import http from 'k6/http';
import { Trend } from 'k6/metrics';
import { codeOf, draw, envelope, number, text, thresholds, user } from './lib/drawbridge.js';

const admin = text('ADMIN_URL', 'http://127.0.0.1:8092');
const token = text('ADMIN_TOKEN', '');
const activity = number('ACTIVITY', 200001);
const rounds = number('ROUNDS', 3);
// What everybody gets while `fallback_only` is on.
const fallback = number('FALLBACK_AWARD', 1);

const OBEYED_WITHIN_MS = 1000;
// How long each switch stays.
const HOLD_MS = 2500;
const SWITCHED_OFF = '0004';

// The answer of `draw` switched off is no failure.
http.setResponseCallback(http.expectedStatuses(200, 503));

const obeyedAfter = new Trend('switch_obeyed_after', true);

// What the operator does in each round, and how an answer looks that obeys.
const STEPS = [
  { name: 'draw', value: 'off', obeys: (response) => codeOf(response) === SWITCHED_OFF },
  { name: 'draw', value: 'on', obeys: (response) => codeOf(response) === '0000' },
  { name: 'fallback_only', value: 'on', obeys: (response) => awardOf(response) === fallback },
  { name: 'fallback_only', value: 'off', obeys: (response) => codeOf(response) === '0000' },
];

export const options = {
  scenarios: {
    operator: { executor: 'per-vu-iterations', vus: 1, iterations: rounds, exec: 'operator', maxDuration: '10m' },
    players: {
      executor: 'constant-arrival-rate',
      rate: number('RATE', 100),
      timeUnit: '1s',
      duration: `${Math.ceil((rounds * STEPS.length * HOLD_MS) / 1000)}s`,
      preAllocatedVUs: number('VUS', 50),
      exec: 'players',
    },
  },
  thresholds: thresholds(500, { switch_obeyed_after: [`max<${OBEYED_WITHIN_MS}`] }),
};

function awardOf(response) {
  return ((envelope(response) || {}).data || {}).awardId;
}

function flip(name, value) {
  const body = JSON.stringify({ name, value, activity, who: 'k6', reason: 'a load test flips switches' });
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return http.post(`${admin}/admin/switches`, body, { headers, tags: { call: 'switch' } });
}

export function setup() {
  const response = flip('draw', 'on');
  if (response.status !== 200) {
    fail(`the gateway at ${admin} does not set switches: ${response.status} ${response.body}`);
  }
}

export function operator() {
  for (const { name, value, obeys } of STEPS) {
    check(flip(name, value), { 'the switch is set': (response) => response.status === 200 });
    const set = Date.now();
    let lastDisobeyed = set;
    const awards = {};
    while (Date.now() - set < HOLD_MS) {
      const response = draw(user());
      if (obeys(response)) {
        awards[awardOf(response)] = true;
      } else {
        lastDisobeyed = Date.now();
      }
      sleep(0.01);
    }
    obeyedAfter.add(lastDisobeyed - set, { switch: `${name} ${value}` });
    check(awards, { 'there is the prize of the switch only, or any': () => prizesFit(name, value, Object.keys(awards)) });
  }
}

function prizesFit(name, value, awards) {
  if (name === 'draw' && value === 'off') {
    return awards.length === 1 && awards[0] === 'undefined';
  }
  if (name === 'fallback_only' && value === 'on') {
    return awards.length === 1;
  }
  return awards.length > 1;
}

export function players() {
  const response = draw(user());
  check(response, {
    'the draw was made, or is switched off': () =>
      codeOf(response) === '0000' ||
      (codeOf(response) === SWITCHED_OFF && response.status === 503 && Number(response.headers['Retry-After']) >= 1),
  });
}

export function teardown() {
  check(flip('draw', 'on'), { 'the switch is set': (response) => response.status === 200 });
  check(flip('fallback_only', 'off'), { 'the switch is set': (response) => response.status === 200 });
}
