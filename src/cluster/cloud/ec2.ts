// Tags of an EC2 instance, which its metadata service shows where that is allowed (EC2 User Guide, "View tags for your
// EC2 instances using instance metadata").

import {Failure} from '../../errors.js';
import {isLabelName} from '../../ssh/labels.js';
import {MetadataService} from '../aws/metadata.js';
import {type CloudContext, type CloudTags, Elsewhere} from './tags.js';

const TAGS = 'meta-data/tags/instance';
const NONE =
  'EC2 shows no tags of this instance: it has none, or they are not allowed in its metadata ' +
  '(aws ec2 modify-instance-metadata-options --instance-metadata-tags enabled --instance-id ID)';

// The service is for one machine, and slows down those that ask a lot at once.
const AT_ONCE = 5;

export async function ec2Tags({env, dial}: CloudContext): Promise<CloudTags> {
  const metadata = new MetadataService(env, dial);
  await metadata.get('meta-data/instance-id').catch((error: unknown) => {
    if (!(error instanceof Failure) || error.code === 'USAGE') throw error;
    throw new Elsewhere(`EC2: ${error.detail ?? error.message}`);
  });
  const listed = (await metadata.get(TAGS)) ?? '';
  const names = [...new Set(listed.split('\n').map((name) => name.trim()))].filter((name) => name !== '');
  const asked = names.filter(isPath);
  const pairs: [string, string][] = [];
  for (let at = 0; at < asked.length; at += AT_ONCE) {
    const some = asked.slice(at, at + AT_ONCE);
    const values = await Promise.all(some.map((name) => metadata.get(`${TAGS}/${name}`)));
    // A tag may have gone since it was listed.
    for (const [index, value] of values.entries())
      if (value !== undefined) pairs.push([`aws/${some[index]}`, value]);
  }
  const skipped = names.filter((name) => !isPath(name)).map((name) => `aws/${name}`);
  return {cloud: 'EC2', pairs, skipped, notes: names.length > 0 ? [] : [NONE]};
}

/** A name becomes part of an address, where dots would lead elsewhere: to the credentials of the instance. */
function isPath(name: string): boolean {
  return isLabelName(name) && name.split('/').every((part) => !/^\.{0,2}$/.test(part));
}
