// SPDX-License-Identifier: MIT
// Counts primes: a program to try the commands of docs/src/own-program.md on.
#include <iostream>
#include <vector>

int main()
{
    std::vector<bool> composite(20000);
    int found = 0;
    for (int number = 2; number < 20000; number++) {
        if (composite[number])
            continue;
        found++;
        for (int multiple = 2 * number; multiple < 20000; multiple += number)
            composite[multiple] = true;
    }
    std::cout << found << " primes below 20000\n";
}
