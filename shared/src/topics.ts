/** Names on Kafka, all from the namespace. */
export function activitiesTopic(namespace: string): string {
  return `${namespace}.activities`;
}

/** Records that could not be decoded or applied. */
export function deadLetterTopic(namespace: string): string {
  return `${namespace}.activities.dlq`;
}

export function fanoutGroup(namespace: string): string {
  return `${namespace}.fanout`;
}

/** How far `tideline replay` is; gone once it is through. */
export function replayGroup(namespace: string): string {
  return `${namespace}.replay`;
}
