// The official JavaScript client.
import assert from 'node:assert';
import { Writable } from 'node:stream';
import * as k8s from '@kubernetes/client-node';

const config = new k8s.KubeConfig();
config.loadFromFile('kubeconfig');
const core = config.makeApiClient(k8s.CoreV1Api);
const objects = config.makeApiClient(k8s.CustomObjectsApi);
const vms = { group: 'kubevirt.io', version: 'v1', namespace: 'js', plural: 'virtualmachines' };
const guest = {
  domain: { memory: { guest: '256Mi' }, devices: { interfaces: [{ name: 'default', masquerade: {} }] } },
  networks: [{ name: 'default', pod: {} }],
};
await core.createNamespace({ body: { metadata: { name: 'js' } } });
await objects.createNamespacedCustomObject({
  ...vms,
  body: {
    apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', metadata: { name: 'a' },
    spec: { runStrategy: 'Always', template: { spec: guest } },
  },
});
await new Promise((done, fail) => {
  const path = '/apis/kubevirt.io/v1/namespaces/js/virtualmachineinstances';
  const told = (_, instance) => { if (instance.status?.phase === 'Running') done(); };
  new k8s.Watch(config).watch(path, {}, told, error => error && fail(error));
});
const patch = [{ op: 'add', path: '/metadata/labels', value: { x: 'y' } }];
const patched = await objects.patchNamespacedCustomObject({ ...vms, name: 'a', body: patch });
assert.deepEqual(patched.metadata.labels, { x: 'y' });
const container = { name: 'c', image: 'docker.io/library/alpine:3.22', command: ['sleep', '9999'] };
await core.createNamespacedPod({
  namespace: 'js', body: { metadata: { name: 'sh' }, spec: { containers: [container] } },
});
while ((await core.readNamespacedPod({ name: 'sh', namespace: 'js' })).status.phase !== 'Running');
let said = '';
const sink = new Writable({ write(chunk, _, next) { said += chunk; next(); } });
const status = await new Promise(done => {
  new k8s.Exec(config).exec('js', 'sh', 'c', ['echo', 'hi'], sink, sink, null, false, done);
});
assert.deepEqual([status.status, said], ['Success', 'hi\n']);
await core.deleteNamespacedPod({ name: 'sh', namespace: 'js' });
await objects.deleteNamespacedCustomObject({ ...vms, name: 'a' });
const informer = k8s.makeInformer(config, '/api/v1/namespaces', () => core.listNamespace());
informer.on('add', namespace => {
  if (namespace.metadata.name === 'js') {
    console.log('list, watch, create, patch, delete, exec, informer');
    process.exit(0);
  }
});
await informer.start();
