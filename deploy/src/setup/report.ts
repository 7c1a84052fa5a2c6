/** Takes one line about something that was done. */
export type Report = (line: string) => void;
