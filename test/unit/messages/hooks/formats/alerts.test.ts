import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../../src/base/errors.ts';
import { renderSample, sample } from '../sample-kit.ts';

describe('An alert of Alertmanager', () => {
  test('shows name, labels, time and link', () => {
    assert.equal(
      renderSample('alertmanager', sample('alertmanager/one'))?.text,
      `*[FIRING] InstanceDown*
web1 is down
web1:9100 has not answered for 5 minutes.
instance=web1:9100 job=node severity=page
since 2026-11-20 15:08:45 UTC
http://alertmanager.example.org:9093/#/alerts?receiver=xmpp`,
    );
  });

  test('is listed with its group, below the shared labels, and truncated alerts are counted', () => {
    assert.equal(
      renderSample('alertmanager', sample('alertmanager/many'))?.text,
      `*[FIRING:2, RESOLVED:1] InstanceDown*
job=node severity=page
- FIRING web1 is down
  web1:9100 has not answered for 5 minutes.
  instance=web1:9100
  since 2026-11-20 15:08:45 UTC
- FIRING web3 is down
  web3:9100 has not answered for 5 minutes.
  instance=web3:9100
  since 2026-11-20 15:08:45 UTC
- RESOLVED web2 is down
  web2:9100 has not answered for 5 minutes.
  instance=web2:9100
  from 2026-11-20 15:08:45 UTC to 2026-11-20 15:20:00 UTC
… and 2 more
http://alertmanager.example.org:9093/#/alerts?receiver=xmpp`,
    );
  });

  test('is reported when it is resolved, unless resolved alerts are hidden', () => {
    const ended = sample('alertmanager/resolved');
    assert.match(renderSample('alertmanager', ended)?.text ?? '', /^\*\[RESOLVED\] InstanceDown\*\n/);
    assert.equal(renderSample('alertmanager', ended, { resolved: 'hide' }), undefined);
    const mixed = renderSample('alertmanager', sample('alertmanager/many'), { resolved: 'hide' })?.text ?? '';
    assert.match(mixed, /^\*\[FIRING:2\] InstanceDown\*\n/);
    assert.doesNotMatch(mixed, /web2|RESOLVED/);
  });

  test('of another version is refused with a reason', () => {
    for (const version of ['3', '5', undefined]) {
      assert.throws(
        () => renderSample('alertmanager', { ...sample('alertmanager/one'), version }),
        (error) =>
          error instanceof Refusal && error.code === 'not_understood' && /version 4/.test(error.message),
      );
    }
  });

  test('without the expected fields is described as far as possible', () => {
    assert.equal(renderSample('alertmanager', { version: '4', alerts: [{}] })?.text, '*[FIRING]*');
    assert.equal(renderSample('alertmanager', { version: '4', alerts: [] }), undefined);
    assert.equal(renderSample('alertmanager', { version: '4' }), undefined);
    const odd = {
      version: '4',
      alerts: [null, 5, { labels: [], annotations: 'x', startsAt: {} }],
      externalURL: 7,
    };
    assert.match(renderSample('alertmanager', odd)?.text ?? '', /^\*\[FIRING:3\]\*/);
  });

  test('beyond the limit is counted, not listed', () => {
    const [alert] = sample('alertmanager/one').alerts as unknown[];
    const text = renderSample('alertmanager', { version: '4', alerts: Array(500).fill(alert) })?.text ?? '';
    assert.match(text, /… and 480 more/);
  });

  test('cannot apply styling to the message', () => {
    const alert = { status: 'firing', annotations: { summary: '> *bold* and ```\n```\ncode' } };
    const text = renderSample('alertmanager', { version: '4', alerts: [alert] })?.text ?? '';
    assert.equal(text, '*[FIRING]*\n·> ·*bold* and ```\n·```\ncode');
  });
});

describe('An alert of Grafana', () => {
  test('shows its values, the link to its panel, and its image', () => {
    const notice = renderSample('grafana', sample('grafana/one'));
    assert.equal(
      notice?.text,
      `*[FIRING] High memory usage*
Memory of us-1 is nearly used up
The system has high memory usage
runbook_url: https://runbooks.example.org/1234
grafana_folder=Servers team=blue zone=us-1
since 2026-11-20 07:51:03 UTC
B=44.23943737541908 C=1
https://grafana.example.org/d/dash1?orgId=1&viewPanel=2`,
    );
    assert.deepEqual(notice?.images, ['https://grafana.example.org/public/img/attachments/ab12.png']);
  });

  test('uses the message template of Grafana if there is one', () => {
    const own = { ...sample('grafana/one'), message: 'Look at us-1!' };
    assert.equal(
      renderSample('grafana', own)?.text,
      '*[FIRING:1] High memory usage Servers (blue us-1)*\nLook at us-1!',
    );
  });

  test('in the legacy format shows message, values, link and image', () => {
    const notice = renderSample('grafana', sample('grafana/legacy'));
    assert.equal(
      notice?.text,
      `*[Alerting] Load*
The load is too high
load of web1: 100
https://grafana.example.org/d/abc?tab=alert&viewPanel=2`,
    );
    assert.deepEqual(notice?.images, ['https://grafana.example.org/images/x.png']);
    const ok = { ...sample('grafana/legacy'), state: 'ok' };
    assert.equal(renderSample('grafana', ok, { resolved: 'hide' }), undefined);
  });

  test('has each image once, up to the limit, and only http(s) URLs', () => {
    const [alert] = sample('grafana/one').alerts as object[];
    const urls = [
      'https://a/1',
      'https://a/1',
      'file:///etc/passwd',
      'javascript:1',
      'https://a/2',
      'https://a/3',
    ];
    const more = [...urls, 'https://a/4', 'https://a/5'];
    const alerts = more.map((imageURL) => ({ ...alert, imageURL }));
    assert.deepEqual(renderSample('grafana', { alerts, orgId: 1 })?.images, [
      'https://a/1',
      'https://a/2',
      'https://a/3',
      'https://a/4',
    ]);
  });
});

describe('A monitor of Uptime Kuma', () => {
  test('is reported with its message, monitored address and local time', () => {
    assert.equal(
      renderSample('uptime-kuma', sample('uptime-kuma/down'))?.text,
      `*[Shop]* [🔴 Down] getaddrinfo ENOTFOUND shop.example.org
https://shop.example.org/health
2026-11-21 00:51:35 Europe/Berlin`,
    );
  });

  test('that is up again is reported unless hidden; ports are shown with their host, and older versions with UTC', () => {
    const up = sample('uptime-kuma/up');
    assert.equal(
      renderSample('uptime-kuma', up)?.text,
      '*[Mail]* [✅ Up]\nmail.example.org:25\n2026-11-20 23:58:01 UTC',
    );
    assert.equal(renderSample('uptime-kuma', up, { resolved: 'hide' }), undefined);
  });

  test('can be tested with the test button', () => {
    assert.equal(renderSample('uptime-kuma', sample('uptime-kuma/test'))?.text, 'XMPP Testing');
  });
});
