import { type AcceptanceTools, type AcceptedActivity, acceptActivities } from '../activities/accept-activities.js';
import type { Caller } from '../caller.js';
import { describeObject, type ObjectTools } from '../objects/describe-object.js';

export interface Post {
  authorId: string;
  type: 'post' | 'photo';
  content: string;
}

export interface PublishedPost extends AcceptedActivity {
  objectId: string;
}

/**
 * Creates an object that belongs to its author, then the activity that shows it. In this order, because nobody may see a
 * post that cannot be liked yet; an object without its activity is shown to nobody.
 */
export async function publishPost(
  tools: ObjectTools & AcceptanceTools,
  caller: Caller,
  { authorId, type, content }: Post,
): Promise<PublishedPost> {
  const objectId = caller.mintId(caller.acceptedAt);
  const describer = { actorId: authorId, userId: authorId, isService: false };
  await describeObject(tools, caller, describer, { type, id: objectId, title: content, ownerId: authorId });
  const input = { actorId: authorId, verb: 'post', objectType: type, objectId, objectTitle: content };
  const [accepted] = await acceptActivities(tools, caller, [input]);
  if (accepted === undefined) {
    throw new RangeError('one activity in, none out');
  }
  return { objectId, ...accepted };
}
