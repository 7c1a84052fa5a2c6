import { objectName } from '@tideline/shared/feed-keys';
import type { FoundObjects, ObjectReference } from '@tideline/shared/objects';

/** Verbs that are done to what belongs to somebody. */
const verbsToOwners: ReadonlySet<string> = new Set(['like', 'share', 'comment']);

export interface OwnerTools {
  /** Throws `unavailable`. */
  readObjects(references: readonly ObjectReference[]): Promise<FoundObjects>;
}

interface InputWithObject {
  verb: string;
  objectType: string;
  objectId: string;
}

/**
 * Writes into likes, shares and comments who owns their object, where that is known: fanout must not look it up later (I1).
 * One look-up for all inputs, none where no verb asks for it. Throws `unavailable` where it cannot be known.
 */
export async function stampOwners<Input extends InputWithObject>(
  { readObjects }: OwnerTools,
  inputs: readonly Input[],
): Promise<(Input & { objectOwnerId?: string })[]> {
  const references = inputs
    .filter(({ verb }) => verbsToOwners.has(verb))
    .map(({ objectType, objectId }) => ({ type: objectType, id: objectId }));
  if (references.length === 0) {
    return [...inputs];
  }
  const objects = await readObjects(references);
  return inputs.map((input) => {
    const ownerId = verbsToOwners.has(input.verb)
      ? objects.get(objectName(input.objectType, input.objectId))?.ownerId
      : undefined;
    return typeof ownerId === 'string' ? { ...input, objectOwnerId: ownerId } : input;
  });
}
