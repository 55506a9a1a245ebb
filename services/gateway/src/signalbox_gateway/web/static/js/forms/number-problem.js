// What is wrong with a number, in words.
import { isSentAsTyped } from "../../../client/elements/number-rules.js";

export const lowest = (node) => node.minimum ?? node.exclusiveMinimum;
export const highest = (node) => node.maximum ?? node.exclusiveMaximum;

export function numberProblem(node, text) {
  const number = Number(text);
  const isWhole = node.type === "integer";
  const [low, high] = [lowest(node), highest(node)];
  if (Number.isNaN(number) || (isWhole && !Number.isInteger(number) && Number.isFinite(number))) return notANumber(node);
  if (low !== undefined && number < low) return `Enter at least ${low}.`;
  if (high !== undefined && number > high) return `Enter at most ${high}.`;
  return isSentAsTyped(text) ? null : "This number is too large or too small to be sent unchanged.";
}

export const notANumber = (node) => (node.type === "integer" ? "Enter a whole number." : "Enter a number.");
