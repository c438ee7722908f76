throw new Error("this release throws at its start");
