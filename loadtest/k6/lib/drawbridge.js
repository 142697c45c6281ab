// What all plans share: options from the environment, the reference's draw call, checks.
import crypto from 'k6/crypto';
import encoding from 'k6/encoding';
import exec from 'k6/execution';
import http from 'k6/http';
import { check } from 'k6';
import { Counter } from 'k6/metrics';

const settings = {
  // Where players draw: a gateway, or nginx in front of several.
  baseUrl: text('BASE_URL', 'http://127.0.0.1:8091'),
  activity: number('ACTIVITY', 200001),
  users: number('USERS', 10000),
  // With 1 each draw has an Idempotency-Key; without, it is the reference's plain call.
  keys: text('KEYS', '') === '1',
  // A secret that tokens are signed with (HS256), for servers that want them.
  jwtSecret: text('JWT_SECRET', ''),
};

export function text(name, otherwise) {
  return __ENV[name] === undefined || __ENV[name] === '' ? otherwise : __ENV[name];
}

export function number(name, otherwise) {
  const value = Number(text(name, otherwise));
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${name}: expected an integer from 1 on, not ${__ENV[name]}`);
  }
  return value;
}

// What a plan demands: k6 ends with a code of its own when one does not hold.
export function thresholds(p95Ms, more) {
  return Object.assign(
    {
      checks: ['rate>0.999'],
      http_req_failed: ['rate<0.001'],
      // k6 counts for itself what it could not start in time: load that never was.
      dropped_iterations: ['count<1'],
      'http_req_duration{call:draw}': [`p(95)<${number('P95_MS', p95Ms)}`],
    },
    more,
  );
}

// Of this run and this user of k6, so that keys are new in each.
const run = Math.random().toString(36).slice(2, 10);

const answers = new Counter('draw_answers');

export function user() {
  return `k6-${1 + Math.floor(Math.random() * settings.users)}`;
}

function token(user) {
  const encoded = (value) => encoding.b64encode(JSON.stringify(value), 'rawurl');
  const expiresAt = Math.floor(Date.now() / 1000) + 3600;
  const message = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded({ sub: user, exp: expiresAt })}`;
  return `${message}.${crypto.hmac('sha256', settings.jwtSecret, message, 'base64rawurl')}`;
}

function post(path, call, user, body, headers) {
  if (settings.jwtSecret !== '') {
    headers.Authorization = `Bearer ${token(user)}`;
  }
  headers['Content-Type'] = 'application/json';
  return http.post(`${settings.baseUrl}/api/v1/raffle/${path}`, JSON.stringify(body), {
    headers,
    tags: { call, name: path },
    timeout: '15s',
  });
}

// One draw, as the reference's clients ask for it.
export function draw(user, key) {
  const headers = {};
  if (key !== undefined || settings.keys) {
    headers['Idempotency-Key'] = key || `${run}-${exec.vu.idInTest}-${exec.vu.iterationInInstance}`;
  }
  const response = post('activity/draw', 'draw', user, { userId: user, activityId: settings.activity }, headers);
  answers.add(1, { code: String(codeOf(response)) });
  return response;
}

export function account(user) {
  const body = { userId: user, activityId: settings.activity };
  return post('activity/query_user_activity_account', 'account', user, body, {});
}

// `undefined` without an answer, or for an answer that is no envelope.
export function envelope(response) {
  try {
    return response.json();
  } catch (_) {
    return undefined;
  }
}

export function codeOf(response) {
  return (envelope(response) || {}).code;
}

// Checks that a draw was made, as far as its answer can tell.
export function won(response) {
  return check(response, {
    'the draw was made': (response) => response.status === 200 && codeOf(response) === '0000',
    'it names prize and order': (response) => {
      const data = (envelope(response) || {}).data || {};
      return Number.isInteger(data.awardId) && data.awardIndex >= 1 && /^[0-9]+$/.test(data.orderId || '');
    },
  });
}
