import { TidelineError } from '@tideline/shared/errors';

/** Reads the argument of an option. Throws `configuration` where it is no whole number from `min` to `max`. */
export function wholeNumber(option: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < min || number > max) {
      throw new TidelineError('configuration', `${option}: "${text}" is no whole number from ${min} to ${max}.`);
    }
    return number;
  };
}
